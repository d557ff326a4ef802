"""What commands share."""

import argparse
from typing import NoReturn

from grok.inputs import InputError


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise the complaint instead of printing the usage.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{message}; see {self.prog} --help")

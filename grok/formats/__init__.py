"""Checkpoints of small transformers in the layouts in which they were published.

Files are data here and never code: pickles are read by torch's restricted reader after a look at
what they name, safetensors as they are, and whatever cannot be used is one line of
:class:`grok.inputs.InputError` that names the file.
"""

from grok.formats.checkpoint import FORMATS as FORMATS
from grok.formats.checkpoint import Published as Published
from grok.formats.checkpoint import read_checkpoint as read_checkpoint
from grok.formats.checkpoint import write_checkpoint as write_checkpoint

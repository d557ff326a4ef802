from pathlib import Path

from grok.report.terminal import keys_page

ROOT = Path(__file__).parents[2]


def test_page_of_keys_is_the_table_of_keys() -> None:
    page = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    assert page == keys_page(), "run: grok list measures --markdown > docs/keys.md"

from hoi.present.site.markdown import parse_markdown

TEXT = """| variant | F@5 ↑ | note |
|---|---:|:--|
| a | **0.5** | x \\| y |
|  | – | <b>&amp; |

CD: protocol `diffhoi`,
two lines.

<script>1</script>
"""


def test_rows_bold_code_and_notes():
    table = parse_markdown(TEXT)
    assert table.head == ("variant", "F@5 ↑", "note")
    assert table.rows[0] == ("a", "<strong>0.5</strong>", "x | y")
    assert table.notes[0] == "CD: protocol <code>diffhoi</code>, two lines."


def test_every_text_is_escaped():
    table = parse_markdown(TEXT)
    assert table.rows[1] == ("", "–", "&lt;b&gt;&amp;amp;")
    assert table.notes[1] == "&lt;script&gt;1&lt;/script&gt;"


def test_a_page_without_a_table_is_all_notes():
    table = parse_markdown("nothing\n")
    assert table.head == () and table.rows == () and table.notes == ("nothing",)

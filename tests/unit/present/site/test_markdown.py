from hoi.present.site.markdown import marked, parse_markdown

TEXT = """| variant | F@5 ↑ | note |
|---|---:|:--|
| a | **0.5** | x \\| y |
|  | – | <b>&amp; |

CD: protocol `diffhoi`,
two lines.

- no\\_prior: \\<script\\>
- **b**

| method | kind |
|---|---|
| c † | primary |

<script>1</script>
"""


def test_rows_bold_code_lists_and_paragraphs():
    table, note, failures, others, _ = parse_markdown(TEXT)
    assert table.head == ("variant", "F@5 ↑", "note")
    assert table.rows[0] == ("a", "<strong>0.5</strong>", "x | y")
    assert note.items == ("CD: protocol <code>diffhoi</code>, two lines.",) and not note.is_list
    assert failures.items == ("no_prior: &lt;script&gt;", "<strong>b</strong>") and failures.is_list
    assert others.rows == (("c †", "primary"),)


def test_every_text_is_escaped():
    blocks = parse_markdown(TEXT)
    assert blocks[0].rows[1] == ("", "–", "&lt;b&gt;&amp;amp;")
    assert blocks[-1].items == ("&lt;script&gt;1&lt;/script&gt;",)


def test_escaped_characters_are_no_markup():
    assert marked(r"\*\*a\*\* \`b\` \\ \<i\>") == r"**a** `b` \ &lt;i&gt;"
    assert marked("**<i>**") == "<strong>&lt;i&gt;</strong>"


def test_a_page_without_a_table_is_a_paragraph():
    assert [block.items for block in parse_markdown("nothing\n")] == [("nothing",)]
    assert parse_markdown("\n\n") == []

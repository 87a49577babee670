"""Charts, drawn by the server as SVG and told as tables: each is whole without JavaScript, and in either theme.

A chart is an object that says what is drawn; `templates/charts/` frames it. The script only adds a cursor, whose words it
reads from the table, so that no number is formatted twice.
"""

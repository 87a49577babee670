"""Parts of a page that may fail by themselves (`ui.md` 9.7): the others go on to be shown."""

from __future__ import annotations

import logging
import secrets
import sqlite3

from django import template
from django.db import OperationalError
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from channels_app.renewal import may_be_renewed_at_once

logger = logging.getLogger(__name__)
register = template.Library()


class Part(template.Node):
    def __init__(self, nodelist: NodeList, name: FilterExpression, css: FilterExpression) -> None:
        self.nodelist, self.name, self.css = nodelist, name, css

    def render(self, context: Context) -> SafeString:
        """Pages ask one question after another and in no transaction: one that is given up spoils none of the others."""
        try:
            return self.nodelist.render(context)
        except OperationalError as error:
            if _is_mistake(error):
                raise
            reference = secrets.token_hex(4)
            logger.exception("a part of %s could not be told (%s)", context["request"].path, reference)
            may_be_renewed_at_once(context["request"])
            facts = {"name": self.name.resolve(context), "css": self.css.resolve(context), "reference": reference}
            return render_to_string("shell/_failed.html", facts, request=context["request"])


def _is_mistake(error: OperationalError) -> bool:
    """SQLite calls so, too, what it does not understand: a table or column that there is not, or not yet."""
    cause = error.__cause__
    return isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode == sqlite3.SQLITE_ERROR


@register.tag
def part(parser: Parser, token: Token) -> Part:
    """Draw `{% part "its name" "its classes" %} ... {% endpart %}`; in its place, what is wrong where the database gave up:
    it took longer than it may, or was needed otherwise (a replica), or is away. What else goes wrong is a mistake of ours,
    and ends the page.
    """
    _tag, name, css = token.split_contents()
    nodelist = parser.parse(("endpart",))
    parser.delete_first_token()
    return Part(nodelist, parser.compile_filter(name), parser.compile_filter(css))

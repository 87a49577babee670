"""The buttons that tell what a figure means (usage/meaning.py)."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from channels_app.templatetags.marks import icon
from usage.meaning import Explained

register = template.Library()


@register.simple_tag
def about(table: str, column: Explained, label: str = "") -> SafeString | str:
    """A button that opens what a column means, of those that usage_table/_explained.html lists for this table."""
    if not column.note:
        return ""
    return format_html(
        '<button class="about-it" type="button" popovertarget="{}-explained" data-about="{}" aria-label="{}">{}</button>',
        table, column.key, _("What is “%(name)s”?") % {"name": label or column.label}, icon("info"),
    )  # fmt: skip


@register.simple_tag
def head(table: str, column: Explained, css_class: str = "") -> SafeString:
    """The header of a column that nothing sorts by."""
    return format_html(
        '<th scope="col" class="{}" abbr="{}">{}{}</th>', css_class or column.key, column.label, column.label, about(table, column),
    )  # fmt: skip


@register.simple_tag
def term(table: str, fact: Explained) -> SafeString:
    """The name of a figure in a list of facts."""
    return format_html("<dt>{}{}</dt>", fact.label, about(table, fact))

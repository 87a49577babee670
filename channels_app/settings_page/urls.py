from __future__ import annotations

from django.urls import path

from channels_app.settings_page.about import About
from channels_app.settings_page.assigning import Assign, TakeBack
from channels_app.settings_page.channels import Channels
from channels_app.settings_page.display import Display
from channels_app.settings_page.matching import Matching
from channels_app.settings_page.merging import Merge, Unmerge
from channels_app.settings_page.names import Names
from channels_app.settings_page.personal import Personal
from channels_app.settings_page.retention import Retention
from channels_app.settings_page.servers import Servers
from channels_app.settings_page.tokens import RevokeToken, Tokens
from channels_app.settings_page.users import SwitchUser, Users

urlpatterns = [
    path("", Personal.as_view(), name="settings"),
    path("display/", Display.as_view(), name="settings_display"),
    path("channels/", Channels.as_view(), name="settings_channels"),
    path("channels/<int:pk>/merge/", Merge.as_view(), name="channel_merge"),
    path("channels/merges/<int:pk>/undo/", Unmerge.as_view(), name="channel_unmerge"),
    path("channels/matching/", Matching.as_view(), name="channel_matching"),
    path("sources/<int:pk>/assign/", Assign.as_view(), name="source_assign"),
    path("sources/<int:pk>/take-back/", TakeBack.as_view(), name="source_take_back"),
    path("names/", Names.as_view(), name="settings_names"),
    path("servers/", Servers.as_view(), name="settings_servers"),
    path("retention/", Retention.as_view(), name="settings_retention"),
    path("users/", Users.as_view(), name="settings_users"),
    path("users/<int:pk>/", SwitchUser.as_view(), name="settings_user"),
    path("tokens/", Tokens.as_view(), name="settings_tokens"),
    path("tokens/<str:key>/", RevokeToken.as_view(), name="settings_token"),
    path("about/", About.as_view(), name="settings_about"),
]

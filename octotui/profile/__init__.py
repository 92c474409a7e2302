"""TOML to Profile: models, loading, the place of every fault, secret references.

Importing this costs nothing to speak of; pydantic comes in when a profile is read.
"""

from octotui.profile.faults import Fault, ProfileFaults
from octotui.profile.find import find_profile
from octotui.profile.load import load_profile
from octotui.profile.profile import Chosen, Node, Profile
from octotui.profile.providers import Providers
from octotui.profile.secrets import SecretStore

__all__ = [
    "Chosen",
    "Fault",
    "Node",
    "Profile",
    "ProfileFaults",
    "Providers",
    "SecretStore",
    "find_profile",
    "load_profile",
]

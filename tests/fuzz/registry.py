"""All that is fuzzed, by name."""

from tests.fuzz import codecs, sealed, talks, texts

TARGETS = codecs.TARGETS | sealed.TARGETS | texts.TARGETS | talks.TARGETS

"""All that is fuzzed, by name."""

from tests.fuzz.targets import codecs, sealed, talks, texts

TARGETS = codecs.TARGETS | sealed.TARGETS | texts.TARGETS | talks.TARGETS

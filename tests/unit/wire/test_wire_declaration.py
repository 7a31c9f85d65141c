"""A layout that contradicts itself, its noun or another layout is refused when it is declared."""

import pytest

from qstack.core.errors import PluginError
from qstack.core.nouns import Message, noun
from qstack.wire import Field, Plane, Reserved, bare, pdu


class TestDeclaration:
    def declare(self, *entries, code=200):
        @pdu("ODD", Plane.EXPERIMENTAL, code, *entries)
        @noun
        class Odd(Message):
            number: int

        return Odd

    def test_fields_and_attributes_agree(self):
        with pytest.raises(PluginError, match=r"attributes and fields differ in \['number', 'other'\]"):
            self.declare(Field("other", 32))

    def test_whole_words(self):
        with pytest.raises(PluginError, match="88 bits are no multiple of 32"):
            self.declare(Field("number", 24))

    def test_no_part_is_missing_or_doubled(self):
        with pytest.raises(PluginError, match="bit 8 of the attribute has no place, or two"):
            self.declare(Field("number", 8), Field("number", 8), Reserved(16))

    def test_type_has_eight_bits(self):
        with pytest.raises(PluginError, match="a type 8"):
            self.declare(Field("number", 32), code=256)

    @pytest.mark.requirement("QS-WI-019")
    def test_one_message_per_type(self):
        self.declare(Field("number", 32), code=201)
        with pytest.raises(PluginError, match="Second and ODD both are plane 15 type 201"):

            @pdu("SECOND", Plane.EXPERIMENTAL, 201)
            @noun
            class Second(Message):
                pass

    def test_bare_bytes_are_whole_bytes(self):
        with pytest.raises(PluginError, match="4 bits are no multiple of 8"):

            @bare("HALF", Field("number", 4))
            @noun
            class Half(Message):
                number: int

-- SPDX-License-Identifier: Apache-2.0
-- Generic UDP Encapsulation, variant 0 (draft-ietf-intarea-gue-09), which tshark does not know by itself.
local gue = Proto("gue", "Generic UDP Encapsulation")
local inner = { [4] = Dissector.get("ip"), [41] = Dissector.get("ipv6") }

function gue.dissector(buffer, info, tree)
  local words = buffer(0, 1):bitfield(3, 5)
  local dissect = inner[buffer(1, 1):uint()]
  tree:add(gue, buffer(0, 4 + words * 4))
  if dissect then
    dissect:call(buffer(4 + words * 4):tvb(), info, tree)
  end
end

DissectorTable.get("udp.port"):add(6080, gue)

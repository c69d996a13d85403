-- Between head.lua and unread.lua, where events may be too old: that is seen in other keys.
local parts = 12

local function turn_to(first)
  H, M, T, I, X, R, Z, C, K0, K1, U, O = unpack(KEYS, first, first + parts - 1)
end

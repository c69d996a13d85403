-- The beginning of unread.lua where no event is ever too old: the few of a room's keys, and of the functions of head.lua, that it needs.
local H, M, C, O
local own, parts = 9, 4

local function turn_to(first) H, M, C, O = KEYS[first], KEYS[first + 1], KEYS[first + 2], KEYS[first + 3] end

local function load()
  local h = redis.call('HMGET', H, 'n', 'f', 'v', 'y')
  if not h[1] then return nil end
  return {head = tonumber(h[1]), erased = tonumber(h[2]), silent = tonumber(h[4]), max = tonumber(h[3] == 'reserved' and ARGV[5] or ARGV[4])}
end

-- The beginning of unread.lua where no event is ever too old: the few of a room's keys, and of the functions of head.lua, that it needs.
local H, M, C, O = unpack(KEYS)
local own = 9

local function load()
  local h = redis.call('HMGET', H, 'e', 'n', 'f', 'v', 'y')
  if not h[1] then return nil end
  return {head = tonumber(h[2]), erased = tonumber(h[3]), silent = tonumber(h[5]), max = tonumber(h[4] == 'reserved' and ARGV[5] or ARGV[4])}
end

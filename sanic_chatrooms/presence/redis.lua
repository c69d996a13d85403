-- One sheet of entries: of a room, or of the users whose names fall into one of the parts. Keys, all in one slot:
--   e sorted set: "node room user" by when it ends (Unix seconds)     n hash: user -> how many such entries
--   of a room   w hash: user -> as JSON                               o sorted set: the users, in the order of their ids
--               g hash: user -> as JSON, of whom the last entry has ended; then a line end, and to which call it was told
--   of a part   s sorted set: user by when last here                  g set: "room user" of entries that have ended
-- Whoever looks at a sheet takes off first what has ended. A sheet that nobody touches ends as a whole.
local E, N = KEYS[1], KEYS[2]
local W, O = KEYS[3], KEYS[4]
local is_room = #KEYS == 5
local S = KEYS[3]
local G = KEYS[#KEYS]
local REMEMBERED = 600000 -- milliseconds for which it is known who has ended, where nobody asks
local clock, op = ARGV[2], ARGV[3]
local own = 4

local now
if clock ~= '' then
  now = tonumber(clock)
else
  local t = redis.call('TIME')
  now = tonumber(t[1]) + tonumber(t[2]) / 1000000
end

local function less(user) -- one entry less; is the user gone?
  if redis.call('HINCRBY', N, user, -1) > 0 then return 0 end
  redis.call('HDEL', N, user)
  if is_room then
    redis.call('HDEL', W, user)
    redis.call('ZREM', O, user)
  end
  return 1
end

local function take_off(from, to)
  local over = redis.call('ZRANGEBYSCORE', E, from, to)
  for _, entry in ipairs(over) do
    local place, user = string.match(entry, '^%S+ (%S* (.*))$')
    local name = is_room and redis.call('HGET', W, user)
    redis.call('ZREM', E, entry)
    local gone = less(user) == 1
    if not is_room then
      redis.call('SADD', G, place)
    elseif gone then
      redis.call('HSET', G, user, name or '')
    end
  end
  if #over > 0 then redis.call('PEXPIRE', G, REMEMBERED) end
end

take_off('-inf', now)

local ops = {}

-- seconds that entries live, and that it is known when a user was here; per entry: the entry, the user, the user as JSON -> who came in
function ops.touch()
  local ttl, seen_for, came = tonumber(ARGV[own]), tonumber(ARGV[own + 1]), {}
  take_off('(' .. string.format('%.3f', now + 2 * ttl), '+inf') -- none ends that late: the server's clock was set back
  for a = own + 2, #ARGV, 3 do
    local entry, user, name = ARGV[a], ARGV[a + 1], ARGV[a + 2]
    local new = redis.call('ZADD', E, now + ttl, entry) == 1 and redis.call('HINCRBY', N, user, 1) == 1
    came[#came + 1] = new and 1 or 0
    if is_room then
      redis.call('HSET', W, user, name)
      redis.call('ZADD', O, 0, user)
      redis.call('HDEL', G, user)
    else
      redis.call('ZADD', S, now, user)
    end
  end
  local keep = math.ceil(2000 * ttl)
  redis.call('PEXPIRE', E, keep)
  redis.call('PEXPIRE', N, keep)
  if is_room then
    redis.call('PEXPIRE', W, keep)
    redis.call('PEXPIRE', O, keep)
  else
    redis.call('ZREMRANGEBYSCORE', S, '-inf', now - seen_for)
    redis.call('PEXPIRE', S, math.ceil(1000 * seen_for))
  end
  return came
end

-- per entry: the entry, the user -> who went out
function ops.drop()
  local went = {}
  for a = own, #ARGV, 2 do
    local entry, user = ARGV[a], ARGV[a + 1]
    local there = redis.call('ZREM', E, entry) == 1
    went[#went + 1] = there and less(user) or 0
    if there and not is_room then redis.call('ZADD', S, now, user) end
  end
  return went
end

-- of a part: -> "room user" of entries that have ended
-- of a room: a name of the call; users -> for each as JSON who has gone by that, to the first call that asks; '' else, and '+' who
-- is still there. A call whose answer was lost is asked again by the same name.
function ops.ended()
  if not is_room then return redis.call('SMEMBERS', G) end
  local call, gone = ARGV[own], {}
  for a = own + 1, #ARGV do
    local user = ARGV[a]
    if redis.call('HEXISTS', N, user) == 1 then
      gone[#gone + 1] = '+'
    else
      local name, told = string.match(redis.call('HGET', G, user) or '', '^([^\n]*)\n?(.*)$')
      if told == '' and name ~= '' then redis.call('HSET', G, user, name .. '\n' .. call) end
      gone[#gone + 1] = (told == '' or told == call) and name or ''
    end
  end
  return gone
end

-- "room user" of a part, about whom the rooms were asked
function ops.asked() return redis.call('SREM', G, unpack(ARGV, own)) end

-- '(' and a user's id, or '-'; how many -> total, users as JSON
function ops.list()
  local users = redis.call('ZRANGEBYLEX', O, ARGV[own], '+', 'LIMIT', 0, ARGV[own + 1])
  local page = {redis.call('ZCARD', O)}
  if #users == 0 then return page end
  for _, name in ipairs(redis.call('HMGET', W, unpack(users))) do page[#page + 1] = name end
  return page
end

function ops.count() return redis.call('HLEN', N) end

-- users -> for each, how many entries
function ops.online() return redis.call('HMGET', N, unpack(ARGV, own)) end

-- users -> for each, when last here
function ops.seen() return redis.call('ZMSCORE', S, unpack(ARGV, own)) end

return ops[op]()

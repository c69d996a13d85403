-- The lists that lead to rooms: of an instance (hash room -> stamp, of direct rooms or of others; sorted sets of its public, private and direct rooms),
-- and of a user or a mark (KEYS: hash room -> stamp).
-- They hold at least what there is; whether it is still so, the room itself says. A stamp is a time in milliseconds.
local op = ARGV[2]
local ops = {}

-- KEYS: hash, sorted set. Room, stamp, how many there may be -> 1, or 0 if there are as many already
function ops.reserve()
  local room, stamp, most = unpack(ARGV, 3, 5)
  if redis.call('HEXISTS', KEYS[1], room) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(most) then return 0 end
  redis.call('HSET', KEYS[1], room, stamp)
  redis.call('ZADD', KEYS[2], 0, room)
  return 1
end

-- KEYS: hash, sorted set. Room, stamp: a room that is there is about to belong to this list
function ops.list()
  if redis.call('HEXISTS', KEYS[1], ARGV[3]) == 0 then return end
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
  redis.call('ZADD', KEYS[2], 0, ARGV[3])
end

-- KEYS: hash, sorted sets. Room, stamp: it does not belong to these lists any more, unless it was put on one again since
function ops.unlist()
  if redis.call('HGET', KEYS[1], ARGV[3]) ~= ARGV[4] then return end
  for k = 2, #KEYS do redis.call('ZREM', KEYS[k], ARGV[3]) end
end

-- KEYS: hash, sorted sets. Room, stamp: it is gone, unless somebody has put it there again since
function ops.forget()
  local room, stamp = ARGV[3], ARGV[4]
  if redis.call('HGET', KEYS[1], room) ~= stamp then return 0 end
  redis.call('HDEL', KEYS[1], room)
  for k = 2, #KEYS do redis.call('ZREM', KEYS[k], room) end
  return 1
end

-- KEYS: sorted sets. Where to begin, how many -> so many of each, in one step
function ops.page()
  local found = {}
  for _, list in ipairs(KEYS) do
    for _, room in ipairs(redis.call('ZRANGEBYLEX', list, ARGV[3], '+', 'LIMIT', 0, ARGV[4])) do found[#found + 1] = room end
  end
  return found
end

-- KEYS: two hashes, three sorted sets -> 1 if each room of the hashes is on a list
function ops.whole()
  local rooms = redis.call('HLEN', KEYS[1]) + redis.call('HLEN', KEYS[2])
  for k = 3, 5 do rooms = rooms - redis.call('ZCARD', KEYS[k]) end
  return rooms <= 0 and 1 or 0
end

-- KEYS: hash, sorted set. Rooms: put those that are still there on the list
function ops.fill()
  for a = 3, #ARGV do
    if redis.call('HEXISTS', KEYS[1], ARGV[a]) == 1 then redis.call('ZADD', KEYS[2], 0, ARGV[a]) end
  end
end

-- The clock or '', seconds for a token, seconds for all -> after how many seconds there is a token. The key is when the bucket is full; see buckets.py.
function ops.take()
  local now, each, all = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
  if not now then
    local t = redis.call('TIME')
    now = tonumber(t[1]) + tonumber(t[2]) / 1000000
  end
  local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
  local wait = full + each - now - all
  if wait > 0.000002 then return string.format('%.6f', wait) end
  redis.call('SET', KEYS[1], string.format('%.6f', full + each), 'PX', math.ceil((full + each - now) * 1000))
  return '0'
end

return ops[op]()

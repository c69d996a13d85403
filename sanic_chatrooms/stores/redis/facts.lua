-- What o and u hold. A fact is {kind, key, value or false, 'set' or 'max'}.
local function facts()
  local self = {}

  -- Brings a room of the first layout to the present one.
  function self.upgrade()
    if redis.call('TYPE', U).ok ~= 'hash' then return end
    local members = redis.call('HGETALL', U)
    redis.call('UNLINK', U, O)
    for k = 1, #members, 2 do
      local value = string.gsub(string.gsub(members[k + 1], '^.-,"name":', '{"name":', 1), '"joined_at":', '"joinedAt":', 1)
      redis.call('HSET', O, members[k], cmsgpack.pack({member = {value, 0, 0}}))
      redis.call('ZADD', U, 0, 'member\n' .. members[k])
    end
  end

  -- Of one key: kind -> {value, seq, since}
  function self.about(key)
    local packed = redis.call('HGET', O, key)
    return packed and cmsgpack.unpack(packed) or {}
  end

  function self.changes(known, fact)
    if not known or not fact[3] then return (not known) ~= (not fact[3]) end
    if fact[4] == 'max' then return tonumber(fact[3]) > tonumber(known[1]) end
    return fact[3] ~= known[1]
  end

  -- By the event with this number, or with 0 without one; true if that changes anything.
  function self.set(fact, seq, head)
    local kind, key, value = unpack(fact, 1, 3)
    local there = self.about(key)
    local known = there[kind]
    if not self.changes(known, fact) then return false end
    if value then
      there[kind] = {value, seq, known and known[3] or head}
      if not known then redis.call('ZADD', U, 0, kind .. '\n' .. key) end
    else
      there[kind] = nil
      redis.call('ZREM', U, kind .. '\n' .. key)
    end
    if next(there) then redis.call('HSET', O, key, cmsgpack.pack(there)) else redis.call('HDEL', O, key) end
    if kind == 'room' and key == '' and value then
      redis.call('HSET', H, 'q', seq .. ' ' .. value, 'v', string.match(value, '^{"visibility":"(%a+)"'))
    end
    return true
  end

  self.upgrade()
  return self
end


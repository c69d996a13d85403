-- What drafts do besides their events. One is packed: {fold, target, key, owner, value, at, sender, facts, restricts, only_if_changed, timeline, spaced, mentions, most}
local function effects(room)
  local self, folds, rows, known = {}, {}, relations(), nil
  local pad = rows.pad

  function self.unpacked(change) return cmsgpack.unpack(string.match(change, '^..-;(.*)$')) end

  local function changeable(room, id)
    local number = tonumber(redis.call('HGET', I, id))
    if not number or number <= floor_of(room) then return nil end
    local text = redis.call('HGET', M, number)
    local line = string.find(text, '\n', 1, true)
    if not string.find(text, '^{"seq":%d+,"msgId":"[^"]*","timestamp":[^,]+,"type":"message",') then return nil end
    if string.find(text, '^,"deleted":true', line + 1) then return nil end
    return number, string.sub(text, 1, line)
  end

  -- A short text can be guessed from its hash, so the two go together. In the place of the hash stands '=' and the type.
  local function forget_hash(room, number, line)
    local event = cjson.decode(line .. '}')
    local user = event.clientMsgId and (event.sender and event.sender.id or '~host') or ''
    local _, characters = string.gsub(user, '[^\128-\191]', '')
    local key = characters .. ':' .. user .. (event.clientMsgId or event.msgId)
    local function without(first)
      local known = first and string.match(first, '^%S+ %S+ %S+ ')
      return known and tonumber(string.match(known, '^%d+')) == number and known .. '=' .. event.type
    end
    for _, keys in ipairs({K0, K1}) do
      local known = without(redis.call('HGET', keys, key))
      if known then
        redis.call('HSET', keys, key, known)
        room.seen[key] = known
      end
    end
    room.seen[key] = without(room.seen[key]) or room.seen[key]
  end

  local function turn_on(target, key, seq, what)
    redis.call('ZADD', Z, 0, 't' .. target .. key .. pad(seq) .. what.owner, 0, 'k' .. key .. pad(seq) .. target .. what.owner)
    redis.call('HSET', R, 'h' .. target .. key .. what.owner, seq .. ' ' .. what.at .. ' ' .. what.sender)
  end

  local function sender_of(line)
    local sender = cjson.decode(line .. '}').sender
    return sender and sender.id or ''
  end

  local function mention(number, names, sender)
    local message = pad(number)
    unmention(redis.call('ZRANGEBYLEX', C, '[#' .. message, '(#' .. message .. '\255'))
    for _, name in ipairs(names) do
      local named = #name .. ':' .. name
      redis.call('ZADD', C, 0, '#' .. message .. named, 0, '@' .. named .. message .. sender)
    end
  end

  function folds.replace(what)
    local number, line = changeable(room, what.target)
    if not number then return -2 end
    local change = room.head + 1
    redis.call('HSET', M, number, line .. ',"edited":' .. what.at .. ',"changed":' .. change .. ',"payload":' .. what.value .. '}')
    mention(number, what.mentions, sender_of(line))
    redis.call('HSET', X, what.target, (redis.call('HGET', X, what.target) or '') .. change .. ',')
    return nil, number
  end

  function folds.close(what)
    local number, line = changeable(room, what.target)
    if not number then return -2 end
    local change = room.head + 1
    redis.call('HSET', M, number, line .. ',"changed":' .. change .. ',"payload":' .. what.value .. '}')
    mention(number, what.mentions, sender_of(line))
    redis.call('HSET', X, what.target, (redis.call('HGET', X, what.target) or '') .. change .. ',')
    local target, key = pad(number), #what.key .. ':' .. what.key
    if what.key ~= '' and redis.call('HEXISTS', R, 'h' .. target .. key) == 0 then turn_on(target, key, change, what) end
    return nil, number
  end

  -- What the deletion of a reply tells besides: the message that it replied to, and the replies that are left. Nothing where that message is gone.
  local function left_of_thread(parent)
    local floor = floor_of(room)
    if parent <= floor then return nil end
    local id = string.match(redis.call('HGET', M, parent), '^{"seq":%d+,"msgId":"([^"]*)"')
    local replies, thread = 'p' .. pad(parent), 'null'
    local count = redis.call('ZLEXCOUNT', Z, '(' .. replies .. pad(floor), '(' .. replies .. ':')
    if count > 0 then
      local newest = redis.call('ZREVRANGEBYLEX', Z, '(' .. replies .. ':', '[' .. replies, 'LIMIT', 0, 1)[1]
      local line = string.match(redis.call('HGET', M, tonumber(string.sub(newest, 18))), '^[^\n]*')
      local by = cjson.decode(line .. '}').sender
      local sender = by and '{"id":' .. cjson.encode(by.id) .. ',"name":' .. cjson.encode(by.name) .. '}' or 'null'
      thread = '{"count":' .. count .. ',"last":{"seq":' .. tonumber(string.sub(newest, 18)) .. ',"timestamp":' .. string.match(line, '"timestamp":([^,]+)')
        .. ',"sender":' .. sender .. '}}'
    end
    return '"parent":"' .. id .. '","thread":' .. thread
  end

  function folds.erase(what)
    local number, line = changeable(room, what.target)
    if not number then return -2 end
    forget_hash(room, number, line)
    redis.call('HSET', M, number, line .. ',"deleted":true,"changed":' .. room.head + 1 .. ',"payload":{}}')
    for edit in string.gmatch(redis.call('HGET', X, what.target) or '', '%d+') do
      local text = redis.call('HGET', M, edit)
      if text then
        local start = string.sub(text, 1, string.find(text, '\n', 1, true))
        forget_hash(room, tonumber(edit), start)
        redis.call('HSET', M, edit, start .. ',"deleted":true,"payload":{}}')
      end
    end
    redis.call('HDEL', X, what.target)
    rows.turn_off_all(number, number)
    local sender = sender_of(line)
    redis.call('ZREM', C, 'c' .. pad(number) .. sender)
    mention(number, {}, sender)
    local parent = redis.call('HGET', R, 'p' .. number)
    if not parent then return nil, number end
    local pair = pad(parent) .. pad(number)
    redis.call('ZREM', Z, 'p' .. pair)
    redis.call('ZADD', Z, 0, 'd' .. pair)
    return nil, number, nil, left_of_thread(tonumber(parent))
  end

  -- Is this key one more than so many at a message?
  local function is_full(target, key, most)
    local all = 't' .. target .. key
    if most == 0 or redis.call('ZLEXCOUNT', Z, '[' .. all, '(' .. all .. '\255') > 0 then return false end
    local from, count = '[t' .. target, 0
    while count < most do
      local row = redis.call('ZRANGEBYLEX', Z, from, '(t' .. target .. '\255', 'LIMIT', 0, 1)[1]
      if not row then return false end
      local _, each, _, owner = rows.parts_of(row)
      if owner ~= '' then count = count + 1 end
      from = '(t' .. target .. each .. '\255'
    end
    return true
  end

  function folds.toggle(what)
    local number = changeable(room, what.target)
    if not number then return -2 end
    local target, key, seq = pad(number), #what.key .. ':' .. what.key, room.head + 1
    local field = 'h' .. target .. key .. what.owner
    local there = redis.call('HGET', R, field)
    local since = there and string.match(there, '^%d+') or 0
    if what.value == (there ~= false) then return '=' .. since end
    if what.value and is_full(target, key, what.most) then return -6 end
    if there then
      rows.turn_off(target, key, pad(since), what.owner)
    else
      turn_on(target, key, seq, what)
    end
    if what.owner == '' then return nil, number end
    return nil, number, redis.call('ZLEXCOUNT', Z, '[t' .. target .. key, '(t' .. target .. key .. '\255')
  end

  function folds.collect(what)
    local number = tonumber(redis.call('HGET', I, what.target))
    if not number or number <= floor_of(room) then return -4 end
    local text = redis.call('HGET', M, number)
    if not string.find(text, '^{"seq":%d+,"msgId":"[^"]*","timestamp":[^,]+,"type":"message",') then return -4 end
    if redis.call('HEXISTS', R, 'p' .. number) == 1 then return -5 end
    local reply = room.head + 1
    redis.call('HSET', R, 'p' .. reply, number)
    redis.call('ZADD', Z, 0, 'p' .. pad(number) .. pad(reply))
    if what.timeline then redis.call('ZADD', Z, 0, 'y' .. pad(reply)) end
    return nil
  end

  -- The highest number of facts that hold already; nil if one does not.
  local function holding(wanted)
    local highest = 0
    for _, fact in ipairs(wanted) do
      local there = known.about(fact[2])[fact[1]]
      if known.changes(there, fact) then return nil end
      highest = math.max(highest, there and there[2] or 0)
    end
    return highest
  end

  -- -> what becomes of the draft, or nil, the number of the message that it is about, how many hold what it toggled, and what else its payload tells
  function self.apply(what)
    local outcome, target, count, extra
    if what.spaced > 0 then -- the last fact says when its sender speaks
      known = known or facts()
      local fact = what.facts[#what.facts]
      local spoke = known.about(fact[2])[fact[1]]
      local left = spoke and tonumber(spoke[1]) + what.spaced - tonumber(what.at)
      if left and left > 0 then return '!' .. string.format('%.6f', left) end
    end
    for _, fact in ipairs(what.facts or {}) do
      if fact[6] then
        known = known or facts()
        if known.contradicts(known.about(fact[2])[fact[1]], fact) then return -1 end
      end
    end
    if what.fold then outcome, target, count, extra = folds[what.fold](what) end
    if outcome then return outcome end
    if what.facts then
      known = known or facts()
      local seq = not what.fold and what.only_if_changed and holding(what.facts)
      if seq then return '=' .. seq end
      for _, fact in ipairs(what.facts) do known.set(fact, room.head + 1, room.head + 1) end
    end
    if what.restricts then room.restricted = room.head + 1 end
    if #what.mentions > 0 and (not what.fold or what.fold == 'collect') then
      mention(room.head + 1, what.mentions, what.sender ~= 'null' and cjson.decode(what.sender).id or '')
    end
    return nil, target, count, extra
  end

  -- The text of an event about a message, with what its payload does not say yet.
  function self.completed(text, target, count, extra)
    local _, start = string.find(text, '\n,"payload":{', 1, true)
    local rest = string.sub(text, start + 1)
    return string.sub(text, 1, start) .. '"seq":' .. target .. (count and ',"count":' .. count or '') .. (extra and ',' .. extra or '') .. (rest == '}}' and '' or ',') .. rest
  end

  -- The payload of an event about a message, on a line of its own, as it is now; nothing where it was trimmed.
  function self.payload_of(number, change)
    local what = self.unpacked(change)
    if not what.fold or what.fold == 'collect' or number <= floor_of(room) then return '' end
    local text = redis.call('HGET', M, number)
    local _, start = string.find(text, '"payload":', string.find(text, '\n', 1, true), true)
    return '\n' .. string.sub(text, start + 1, -2)
  end

  return self
end


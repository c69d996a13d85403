-- One room of the store: everything that has to happen in one step. Keys, all in the room's slot:
--   h   hash: e epoch, n head, f floor (what is not above it is erased), r the server's life (see Pipe.life),
--       w start of the window, p whether its end was put off, g which of k0 and k1 is current, v visibility, a made by its first join,
--       i the room as JSON, k by which key and hash it was made, c that key as a draft has it
--   m   hash: number -> event, as text (below)            t       list: the numbers of the timeline, ascending
--   i   hash: id of an event -> its number                k0, k1  hash: key of a draft -> "number timestamp id hash"
--   u   hash: user -> member as JSON                      o       sorted set: the users, in the order of their ids
--   x   hash: id of a message -> "3,8," the numbers of its edits
-- An event is the JSON text of the protocol. Its first line never changes; what may change begins with the second:
--   {"seq":7,"msgId":"…","timestamp":1750000000.125,"type":"message","room":"…","sender":{…}
--   ,"payload":{…}}
local H, M, T, I, K0, K1, U, O, X = unpack(KEYS)
local life, clock, op = ARGV[1], ARGV[2], ARGV[3]
-- ARGV[4] history_max, [5] history_max of reserved rooms, [6] retention in seconds or '', [7] window in seconds, [8] a new epoch
local WEEK = 604800000 -- milliseconds after which the orders for a user are forgotten, and nobody reads them any more
local is_users = string.find(H, '{~user.', 1, true)
local own = 9 -- where the arguments of an operation begin
local CHUNK = 500 -- values a call: unpack() has an end
local DAY = 86400 -- seconds by which the server's clock may be set without harm to what is remembered

local function present()
  if clock ~= '' then return tonumber(clock) end
  local t = redis.call('TIME')
  return tonumber(t[1]) + tonumber(t[2]) / 1000000
end

local function load()
  local h = redis.call('HMGET', H, 'e', 'n', 'f', 'r', 'v', 'w', 'g', 'c', 'p')
  if not h[1] then return nil end
  local room = {epoch = h[1], head = tonumber(h[2]), erased = tonumber(h[3]), life = h[4], since = tonumber(h[6]), current = h[7], maker = h[8], late = h[9] == '1'}
  room.max = tonumber(h[5] == 'reserved' and ARGV[5] or ARGV[4])
  return room
end

local function floor_of(room) return math.max(room.erased, room.head - room.max) end

local function from_to(low, high)
  local numbers = {}
  for n = low, high do numbers[#numbers + 1] = n end
  return numbers
end

-- How many numbers of the timeline are not above this one.
local function place(number)
  local low, high = 0, redis.call('LLEN', T)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(redis.call('LINDEX', T, middle)) <= number then low = middle + 1 else high = middle end
  end
  return low
end

local function erase(room, last)
  for low = room.erased + 1, last, CHUNK do
    local numbers = from_to(low, math.min(low + CHUNK - 1, last))
    local ids = {}
    for k, text in ipairs(redis.call('HMGET', M, unpack(numbers))) do
      local id = text and string.match(text, '^{"seq":%d+,"msgId":"([^"]*)"')
      if id then ids[#ids + 1] = id end
    end
    redis.call('HDEL', M, unpack(numbers))
    if #ids > 0 then
      redis.call('HDEL', I, unpack(ids))
      redis.call('HDEL', X, unpack(ids))
    end
  end
  redis.call('LTRIM', T, place(last), -1)
  room.erased = last
  redis.call('HSET', H, 'f', last)
end

local function is_old(text, oldest)
  return tonumber(string.match(text, '"timestamp":([^,]+)')) < oldest
end

-- Erase what is too old, from the front only: what is left has no hole, even where the clocks of senders disagree.
local function expire(room)
  if ARGV[6] == '' then return end
  local oldest, low = present() - tonumber(ARGV[6]), floor_of(room)
  local step = 1 -- most often nothing is too old, and one look is enough
  while low < room.head do
    local high = math.min(low + step, room.head)
    local texts = redis.call('HMGET', M, unpack(from_to(low + 1, high)))
    for k = 1, high - low do
      if not texts[k] or not is_old(texts[k], oldest) then
        high = low + k - 1
        step = 0
        break
      end
    end
    low = high
    if step == 0 then break end
    step = CHUNK
  end
  if low > floor_of(room) then erase(room, low) end
end

-- Messages that change

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

local function kinds_of_change()
  local changes = {}

  function changes.set(room, user, member)
    redis.call('HSET', U, user, member)
    redis.call('ZADD', O, 0, user)
    return true
  end

  function changes.remove(room, user)
    redis.call('ZREM', O, user)
    return redis.call('HDEL', U, user) == 1
  end

  function changes.edit(room, id, payload, at)
    local number, line = changeable(room, id)
    if not number then return false end
    local change = room.head + 1
    redis.call('HSET', M, number, line .. ',"edited":' .. at .. ',"changed":' .. change .. ',"payload":' .. payload .. '}')
    redis.call('HSET', X, id, (redis.call('HGET', X, id) or '') .. change .. ',')
    return true
  end

  function changes.delete(room, id)
    local number, line = changeable(room, id)
    if not number then return false end
    forget_hash(room, number, line)
    redis.call('HSET', M, number, line .. ',"deleted":true,"changed":' .. room.head + 1 .. ',"payload":{}}')
    for edit in string.gmatch(redis.call('HGET', X, id) or '', '%d+') do
      local text = redis.call('HGET', M, edit)
      if text then
        local start = string.sub(text, 1, string.find(text, '\n', 1, true))
        forget_hash(room, tonumber(edit), start)
        redis.call('HSET', M, edit, start .. ',"deleted":true,"payload":{}}')
      end
    end
    redis.call('HDEL', X, id)
    return true
  end

  return changes
end

-- Operations: blocks and not functions, since each call makes every function that it comes by

-- A channel to ring on ('' none), PUBLISH or SPUBLISH, as whom, the two keys of its stamp (see seal.py). Then four arguments per draft: its key ('' none);
-- "timestamp id hash"; its text without the number; '-' (in the timeline) or '~', with the packed change behind it.
-- -> epoch, and per draft: its number, "number timestamp id" of the first, -1 conflict, -2 nothing to change
if op == 'append' then
  local room = load()
  if not room then return false end
  local base, results = room.head, {}
  local channel, publish, origin, inner, outer = unpack(ARGV, own, own + 4)
  own = own + 5
  local events, ids, line, said, changes = {}, {}, {}, {}, nil
  local function flush()
    if #events == 0 then return end
    redis.call('HSET', M, unpack(events))
    redis.call('HSET', I, unpack(ids))
    if #line > 0 then redis.call('RPUSH', T, unpack(line)) end
    events, ids, line = {}, {}, {}
  end

  local keys = {}
  for a = own, #ARGV, 4 do keys[#keys + 1] = ARGV[a] end
  local one, other = redis.call('HMGET', K0, unpack(keys)), redis.call('HMGET', K1, unpack(keys))
  local seen, firsts = {}, {} -- what is known of keys since this batch began; the new ones, each with that
  room.seen = seen
  expire(room)
  for d, key in ipairs(keys) do
    local a = own + 4 * (d - 1)
    local memo, text, change = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
    local first = key ~= '' and (seen[key] or one[d] or other[d])
    if key ~= '' and key == room.maker then
      results[d] = -1
    elseif first then
      local known, hash = string.match(first, '^(%S+ %S+ %S+) (.*)$')
      local same = hash == string.match(memo, '^%S+ %S+ (.*)$')
        or hash == '=' .. (string.match(text, '^"msgId":"[^"]*","timestamp":[^,]+,"type":"([^"]*)"') or '')
      results[d] = same and known or -1
    else
      local fits = true
      if #change > 1 then
        flush() -- a change sees what stands before it in the batch
        local what = cmsgpack.unpack(string.sub(change, 2))
        changes = changes or kinds_of_change()
        fits = changes[what[1]](room, what[2], what[3], what[4]) or what[1] == 'remove'
      end
      if fits then
        local n = room.head + 1
        room.head = n
        results[d] = n
        events[#events + 1] = n
        said[#said + 1] = '{"seq":' .. n .. ',' .. text
        events[#events + 1] = said[#said]
        ids[#ids + 1] = string.match(memo, '^%S+ (%S+)')
        ids[#ids + 1] = n
        if string.byte(change) == 45 then line[#line + 1] = n end -- '-'
        if key ~= '' then
          seen[key] = n .. ' ' .. memo
          firsts[#firsts + 1] = key
          firsts[#firsts + 1] = seen[key]
        end
      else
        results[d] = -2
      end
    end
  end
  if room.head == base then return {room.epoch, unpack(results)} end

  flush()
  if life ~= '' and room.life ~= life then room.epoch = ARGV[8] end -- it may have given these numbers before
  redis.call('HSET', H, 'e', room.epoch, 'n', room.head, 'r', life)
  if #firsts > 0 then
    local now, window = present(), tonumber(ARGV[7])
    local past, current = now - room.since, room.current
    local turn = past >= window -- what is remembered lives for one to three windows
    -- Either nothing was said for long, or the server's clock was set: what was sent just now must not be forgotten then. So wait for once.
    local set = room.since > 0 and (past < 0 or past >= 2 * window and not room.late)
    if set then turn = false end
    if turn then current = current == '0' and '1' or '0' end
    local into = current == '0' and K0 or K1
    if turn then redis.call('UNLINK', into) end
    if changes then -- which may have taken hashes away
      for k = 1, #firsts, 2 do firsts[k + 1] = seen[firsts[k]] end
    end
    redis.call('HSET', into, unpack(firsts))
    if turn or set then
      local keep = math.ceil(1000 * (4 * window + DAY)) -- for rooms in which nothing more is said
      redis.call('PEXPIRE', K0, keep)
      redis.call('PEXPIRE', K1, keep)
      redis.call('HSET', H, 'w', now, 'g', current, 'p', set and '1' or '0')
    end
  end
  if is_users then
    for _, key in ipairs({H, M, T, I}) do redis.call('PEXPIRE', key, WEEK) end
  end
  local last = room.head - room.max
  if last - room.erased > math.min(room.max / 4 + 16, CHUNK) then erase(room, last) end -- now and then, not one by one
  if channel ~= '' then
    local body = '["' .. origin .. '","' .. room.epoch .. '",[' .. table.concat(said, ',') .. ']]'
    local stamp = redis.sha1hex(outer .. redis.sha1hex(inner .. channel .. '\n' .. body))
    redis.call(publish, channel, '#' .. stamp .. body)
  end
  return {room.epoch, unpack(results)}
end

-- 'after' or 'before', a number, how many, 'line' or '' -> epoch, head, floor, is there more?, events
if op == 'history' then
  local room = load()
  if not room then return false end
  expire(room)
  local number, limit, floor = tonumber(ARGV[own + 1]), tonumber(ARGV[own + 2]), floor_of(room)
  local after, numbers, more = ARGV[own] == 'after', {}, false
  if ARGV[own + 3] == 'line' then
    local start, stop, base = 0, 0, place(floor)
    if after then
      start = place(math.max(number, floor))
      stop = start + limit
      more = stop < redis.call('LLEN', T)
    else
      stop = place(number - 1)
      start = math.max(stop - limit, base)
      more = start > base
    end
    if stop > start then numbers = redis.call('LRANGE', T, start, stop - 1) end
  else
    local low, high
    if after then
      low = math.max(number, floor)
      high = math.min(low + limit, room.head)
      more = high < room.head
    else
      high = math.min(number - 1, room.head)
      low = math.max(high - limit, floor)
      more = low > floor
    end
    numbers = from_to(low + 1, high)
  end
  local page = {room.epoch, room.head, floor, more and 1 or 0}
  for low = 1, #numbers, CHUNK do
    local texts = redis.call('HMGET', M, unpack(numbers, low, math.min(low + CHUNK - 1, #numbers)))
    for k = 1, #texts do page[#page + 1] = texts[k] end
  end
  return page
end

-- an event's id -> its text, or ''
if op == 'message' then
  local room = load()
  if not room then return false end
  expire(room)
  local number = tonumber(redis.call('HGET', I, ARGV[own]))
  if not number or number <= floor_of(room) then return '' end
  return redis.call('HGET', M, number)
end

-- the epoch to be replaced -> epoch, head
if op == 'renew' then
  local room = load()
  if not room then return false end
  if room.epoch == ARGV[own] then
    room.epoch = ARGV[8]
    redis.call('HSET', H, 'e', room.epoch)
  end
  return {room.epoch, room.head}
end

-- 'look' or 'make', its own key and hash, that key ('' none), the room as JSON, visibility, '1' if its first join makes it, its first member:
-- id ('' nobody) and JSON -> 2 there is none, 1 made, 0 there already, -1 there already by another key; epoch, head, the room as JSON
if op == 'create' then
  local made_by, maker, json, visibility, auto, user, member = unpack(ARGV, own + 1, own + 7)
  local h = redis.call('HMGET', H, 'e', 'n', 'i', 'k')
  if h[1] then
    if made_by ~= '' and made_by ~= h[4] then return {-1} end
    return {0, h[1], tonumber(h[2]), h[3]}
  end
  if ARGV[own] == 'look' then return {2} end
  redis.call('HSET', H, 'e', ARGV[8], 'n', 0, 'f', 0, 'r', life, 'w', 0, 'g', '0',
    'v', visibility, 'a', auto, 'i', json, 'k', made_by, 'c', maker)
  if is_users then redis.call('PEXPIRE', H, WEEK) end
  if user ~= '' then kinds_of_change().set(nil, user, member) end
  return {1, ARGV[8], 0, json}
end

-- an epoch, the room as JSON, visibility -> epoch, head, the room as JSON, if it has that epoch
if op == 'update' then
  local h = redis.call('HMGET', H, 'e', 'n')
  if h[1] ~= ARGV[own] then return false end
  redis.call('HSET', H, 'i', ARGV[own + 1], 'v', ARGV[own + 2])
  return {h[1], tonumber(h[2]), ARGV[own + 1]}
end

-- 'unused' or '' -> 1 if it was there (and unused)
if op == 'delete' then
  local h = redis.call('HMGET', H, 'n', 'a')
  if not h[1] then return 0 end
  if ARGV[own] == 'unused' and (h[1] ~= '0' or h[2] ~= '1') then return 0 end
  redis.call('UNLINK', unpack(KEYS))
  return 1
end

-- a change and its arguments -> 1 if it changed something
if op == 'change' then
  if redis.call('EXISTS', H) == 0 then return false end
  return kinds_of_change()[ARGV[own]](nil, ARGV[own + 1], ARGV[own + 2]) and 1 or 0
end

-- '[' or '(' and a user's id, or '-'; how many -> total, members as JSON; one more than asked for if there are more
if op == 'members' then
  if redis.call('EXISTS', H) == 0 then return false end
  local users = redis.call('ZRANGEBYLEX', O, ARGV[own], '+', 'LIMIT', 0, ARGV[own + 1])
  local page = {redis.call('ZCARD', O)}
  if #users == 0 then return page end
  for _, member in ipairs(redis.call('HMGET', U, unpack(users))) do page[#page + 1] = member end
  return page
end

-- a user's id -> epoch, head, the room as JSON, if the user is a member and the room is no reserved one
if op == 'mine' then
  local h = redis.call('HMGET', H, 'e', 'n', 'i', 'v')
  if not h[1] or h[4] == 'reserved' or redis.call('HEXISTS', U, ARGV[own]) == 0 then return false end
  return {h[1], tonumber(h[2]), h[3]}
end

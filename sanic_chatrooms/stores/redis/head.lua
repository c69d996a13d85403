-- One room of the store: everything that has to happen in one step. Every script of the store has this file, and what uses its functions behind it. Keys, all in the room's slot:
--   h   hash: e epoch, n head, f floor (what is not above it is erased), r the run of the server (see Pipe.run_id),
--       w start of the window, p whether its end was put off, g which of k0 and k1 is current, v visibility, a made by its first join,
--       i the room as JSON, k by which key and hash it was made, c that key as a draft has it, z the number of the last event that restricts,
--       y up to which number c says nothing, since an earlier version stored those events,
--       q the number and the value of the fact "room", which tells of the room what i says otherwise
--   m   hash: number -> event, as text (below)            i       hash: id of an event -> its number
--   t   list: the numbers of the timeline, ascending, without replies
--   k0, k1  hash: key of a draft -> "number timestamp id hash"
--   x   hash: id of a message -> "3,8," the numbers of its edits
--   o   hash: key of facts -> packed: kind -> {value, seq, since}
--   u   sorted set of "kind\nkey": the facts in the order of their keys
--   e   sorted set of "kind\nkey", by when they end: facts that do
--   r   hash: "h<target><key><owner>" -> "seq timestamp sender", the event that turned it on; "p<reply>" -> the message that it answers
--   z   sorted set: "t<target><key><seq><owner>" and "k<key><seq><target><owner>", what is on; "p<message><reply>", or "d<message><reply>" if the reply is deleted;
--       "y<reply>", the replies in the timeline
--   c   sorted set: "c<number><sender>", the events that count as unread; "@<name><number><sender>" and "#<number><name>", whom a message mentions
-- In r, z and c, numbers are padded to 16 digits, and <key> and <name> are "length:key".
-- An event is the JSON text of the protocol. What may change begins with the second line. (The first one changes where its sender is erased.)
--   {"seq":7,"msgId":"…","timestamp":1750000000.125,"type":"message","room":"…","sender":{…}
--   ,"payload":{…}}
-- The first layout had members only: u was a hash (user -> member as JSON), and o a sorted set of the users. `upgrade` brings such a room to this one. A worker
-- of the first layout gets WRONGTYPE where it reads or writes members then.
-- An operation is given the first so many of these keys: those of reading, appending, appending with effects.
local H, M, T, I, X, R, Z, C, K0, K1, U, O, E = unpack(KEYS)
local run, clock, op = ARGV[1], ARGV[2], ARGV[3]
-- ARGV[4] history_max, [5] history_max of reserved rooms, [6] retention in seconds or '', [7] window in seconds, [8] a new epoch
local WEEK = 604800000 -- milliseconds after which a user's inbox is forgotten, and nobody reads it any more
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
  local h = redis.call('HMGET', H, 'e', 'n', 'f', 'r', 'v', 'w', 'g', 'c', 'p', 'z', 'y')
  if not h[1] then return nil end
  local room = {epoch = h[1], head = tonumber(h[2]), erased = tonumber(h[3]), run = h[4], since = tonumber(h[6]), current = h[7], maker = h[8],
    late = h[9] == '1', restricted = tonumber(h[10] or 0), silent = tonumber(h[11])}
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

-- What is on, and replies: what r and z hold.
local function relations()
  local self = {}

  local function pad(number) return string.format('%016d', number) end
  self.pad = pad

  -- "t<target><key><seq><owner>" -> these four
  function self.parts_of(row)
    local size = string.match(row, '^%d+', 18)
    local last = 18 + #size + tonumber(size)
    return string.sub(row, 2, 17), string.sub(row, 18, last), string.sub(row, last + 1, last + 16), string.sub(row, last + 17)
  end

  function self.turn_off(target, key, seq, owner)
    redis.call('ZREM', Z, 't' .. target .. key .. seq .. owner, 'k' .. key .. seq .. target .. owner)
    redis.call('HDEL', R, 'h' .. target .. key .. owner)
  end

  -- Everything that is on at messages from one number to another.
  function self.turn_off_all(low, high)
    repeat
      local rows = redis.call('ZRANGEBYLEX', Z, '[t' .. pad(low), '(t' .. pad(high + 1), 'LIMIT', 0, CHUNK)
      for _, row in ipairs(rows) do self.turn_off(self.parts_of(row)) end
    until #rows < CHUNK
  end

  function self.forget_replies(numbers)
    local fields = {}
    for k, n in ipairs(numbers) do fields[k] = 'p' .. n end
    for k, parent in ipairs(redis.call('HMGET', R, unpack(fields))) do
      if parent then
        local pair = pad(parent) .. pad(numbers[k])
        redis.call('ZREM', Z, 'p' .. pair, 'd' .. pair)
        redis.call('HDEL', R, fields[k])
      end
    end
    redis.call('ZREMRANGEBYLEX', Z, '[y', '[y' .. pad(numbers[#numbers]))
  end

  return self
end

-- Trimming. Each call of a script makes every function that it comes by. So what few calls need stands in functions that make it: `relations`, `facts`, `effects`.

-- Removes mentions: rows of c that begin with '#'.
local function unmention(rows)
  for _, row in ipairs(rows) do
    local start = '@' .. string.sub(row, 18) .. string.sub(row, 2, 17)
    redis.call('ZREM', C, row)
    redis.call('ZREMRANGEBYLEX', C, '[' .. start, '(' .. start .. '\255')
  end
end

local function erase(room, last)
  local related = redis.call('EXISTS', R) == 1 and relations()
  if related then related.turn_off_all(0, last) end
  for low = room.erased + 1, last, CHUNK do
    local numbers = from_to(low, math.min(low + CHUNK - 1, last))
    local ids = {}
    for k, text in ipairs(redis.call('HMGET', M, unpack(numbers))) do
      local id = text and string.match(text, '^{"seq":%d+,"msgId":"([^"]*)"')
      if id then ids[#ids + 1] = id end
    end
    redis.call('HDEL', M, unpack(numbers))
    if #ids > 0 then
      local gone = {}
      for k, number in ipairs(redis.call('HMGET', I, unpack(ids))) do
        if number and tonumber(number) <= last then gone[#gone + 1] = ids[k] end -- or the same draft came again, without a key
      end
      if #gone > 0 then
        redis.call('HDEL', I, unpack(gone))
        redis.call('HDEL', X, unpack(gone))
      end
    end
    if related then related.forget_replies(numbers) end
  end
  redis.call('LTRIM', T, place(last), -1)
  local behind = string.format('%016d', last + 1)
  redis.call('ZREMRANGEBYLEX', C, '[c', '(c' .. behind)
  local mentioned = redis.call('ZRANGEBYLEX', C, '[#', '(#' .. behind)
  if #mentioned > 0 then unmention(mentioned) end
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


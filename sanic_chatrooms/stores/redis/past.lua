-- Reading the past of a room. Numbers come as lists, ascending.
local rows = relations()
local pad = rows.pad

-- Two ascending lists as one.
local function merged(one, other)
  if #other == 0 then return one end
  local all, k, m = {}, 1, 1
  while k <= #one or m <= #other do
    if m > #other or (k <= #one and tonumber(one[k]) < tonumber(other[m])) then
      all[#all + 1] = one[k]
      k = k + 1
    else
      all[#all + 1] = other[m]
      m = m + 1
    end
  end
  return all
end

-- Of the timeline without replies, the first so many numbers above one, or the last below one.
local function near(after, number, floor, count)
  local start, stop
  if after then
    start = place(math.max(number, floor))
    stop = start + count
  else
    stop = place(number - 1)
    start = math.max(stop - count, place(floor))
  end
  return stop > start and redis.call('LRANGE', T, start, stop - 1) or {}
end

-- The same of the rows of z that begin so and end with a number.
local function rows_near(prefix, after, number, floor, count)
  local numbers, start = {}, #prefix + 1
  if after then
    for k, row in ipairs(redis.call('ZRANGEBYLEX', Z, '(' .. prefix .. pad(math.max(number, floor)), '(' .. prefix .. ':', 'LIMIT', 0, count)) do
      numbers[k] = tonumber(string.sub(row, start))
    end
  else
    local found = redis.call('ZREVRANGEBYLEX', Z, '(' .. prefix .. pad(math.max(number, 0)), '(' .. prefix .. pad(floor), 'LIMIT', 0, count)
    for k, row in ipairs(found) do numbers[#found + 1 - k] = tonumber(string.sub(row, start)) end
  end
  return numbers
end

-- At most so many numbers, and whether there are more in that direction.
local function cut(numbers, after, limit)
  if #numbers <= limit then return numbers, false end
  local first, few = after and 0 or #numbers - limit, {}
  for k = 1, limit do few[k] = numbers[first + k] end
  return few, true
end

-- Of these messages, those with something on, or with replies: {number, {{key, count, "seq timestamp sender" of the newest, does the reader hold it?}, …},
-- count of replies, text of the newest}
local function related(numbers, floor, reader)
  local found = {}
  if redis.call('EXISTS', Z) == 0 then return found end
  for _, number in ipairs(numbers) do
    local target, toggles, text = pad(number), {}, ''
    local from = '[t' .. target
    while true do
      local row = redis.call('ZRANGEBYLEX', Z, from, '(t' .. target .. '\255', 'LIMIT', 0, 1)[1]
      if not row then break end
      local _, key = rows.parts_of(row)
      local all = 't' .. target .. key
      local newest = redis.call('ZREVRANGEBYLEX', Z, '(' .. all .. '\255', '[' .. all, 'LIMIT', 0, 1)[1]
      local _, _, _, owner = rows.parts_of(newest)
      local held = 'h' .. target .. key
      local mine = reader ~= '' and redis.call('HEXISTS', R, held .. string.sub(reader, 2)) == 1
      toggles[#toggles + 1] = {string.sub(key, string.find(key, ':', 1, true) + 1), redis.call('ZLEXCOUNT', Z, '[' .. all, '(' .. all .. '\255'), redis.call('HGET', R, held .. owner), mine}
      from = '(' .. all .. '\255'
    end
    local replies = 'p' .. target
    local count = redis.call('ZLEXCOUNT', Z, '(' .. replies .. pad(floor), '(' .. replies .. ':')
    if count > 0 then
      local newest = redis.call('ZREVRANGEBYLEX', Z, '(' .. replies .. ':', '[' .. replies, 'LIMIT', 0, 1)[1]
      text = redis.call('HGET', M, tonumber(string.sub(newest, 18)))
    end
    if count > 0 or #toggles > 0 then found[#found + 1] = {tonumber(number), toggles, count, text} end
  end
  return found
end

local function texts_of(numbers, into)
  for low = 1, #numbers, CHUNK do
    local texts = redis.call('HMGET', M, unpack(numbers, low, math.min(low + CHUNK - 1, #numbers)))
    for k = 1, #texts do into[#into + 1] = texts[k] end
  end
  return into
end

-- Those of these numbers that are there.
local function there(room, first)
  local numbers, floor = {}, floor_of(room)
  for a = first, #ARGV do
    local number = tonumber(ARGV[a])
    if number > floor and number <= room.head then numbers[#numbers + 1] = number end
  end
  return numbers
end

local room = load()
if not room then return false end
expire(room)
local floor = floor_of(room)

-- 'after' or 'before', a number, how many; 'line' with replies, 'main' without, 'log', or the number of a message for its replies; '' or '=' and a reader
-- -> epoch, head, floor, is there more?, what is related as `related` has it, packed ('' nothing), events
if op == 'history' then
  local after, number, limit, view = ARGV[own] == 'after', tonumber(ARGV[own + 1]), tonumber(ARGV[own + 2]), ARGV[own + 3]
  local numbers, more
  if view == 'line' or view == 'main' then
    numbers = near(after, number, floor, limit + 1)
    if view == 'line' then numbers = merged(numbers, rows_near('y', after, number, floor, limit + 1)) end
    numbers, more = cut(numbers, after, limit)
  elseif view == 'log' then
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
  else
    local message = pad(view)
    numbers = rows_near('p' .. message, after, number, floor, limit + 1)
    numbers = merged(numbers, rows_near('d' .. message, after, number, floor, limit + 1))
    numbers, more = cut(numbers, after, limit)
  end
  local found = related(numbers, floor, ARGV[own + 4])
  return texts_of(numbers, {room.epoch, room.head, floor, more and 1 or 0, #found > 0 and cmsgpack.pack(found) or ''})
end

-- numbers -> the texts of those that are there
if op == 'events' then return texts_of(there(room, own), {}) end

-- '' or '=' and a reader, numbers -> what is related, as `related` has it, packed
if op == 'related' then
  local found = related(there(room, own + 1), floor, ARGV[own])
  return #found > 0 and cmsgpack.pack(found) or ''
end

-- '=' and a key or '', a number or '', below which number, how many -> total, and of each: target, key, owner, "seq timestamp sender"; one more than asked for if there are more
if op == 'toggles' then
  local name, number, below, limit = ARGV[own], ARGV[own + 1], tonumber(ARGV[own + 2]), tonumber(ARGV[own + 3]) + 1
  local found, total = {}, 0
  rows.turn_off_all(0, floor)

  local function take(prefix, owned)
    total = total + redis.call('ZLEXCOUNT', Z, '[' .. prefix, '(' .. prefix .. '\255')
    -- One more, since one of them may have no owner.
    for _, row in ipairs(redis.call('ZREVRANGEBYLEX', Z, '(' .. prefix .. pad(below), '[' .. prefix, 'LIMIT', 0, limit + 1)) do
      local target, key, seq, owner
      if string.byte(row) == 116 then -- 't'
        target, key, seq, owner = rows.parts_of(row)
      else
        key = string.sub(prefix, 2)
        seq, target, owner = string.sub(row, #prefix + 1, #prefix + 16), string.sub(row, #prefix + 17, #prefix + 32), string.sub(row, #prefix + 33)
      end
      if not owned or owner ~= '' then found[#found + 1] = {target, key, owner, seq} end
    end
  end

  local key = name ~= '' and #name - 1 .. ':' .. string.sub(name, 2)
  if number == '' then
    take('k' .. key)
  elseif key then
    take('t' .. pad(number) .. key)
  else
    local target = pad(number)
    local from = '[t' .. target
    while true do
      local row = redis.call('ZRANGEBYLEX', Z, from, '(t' .. target .. '\255', 'LIMIT', 0, 1)[1]
      if not row then break end
      local _, each = rows.parts_of(row)
      take('t' .. target .. each, true)
      total = total - redis.call('HEXISTS', R, 'h' .. target .. each)
      from = '(t' .. target .. each .. '\255'
    end
    table.sort(found, function(one, other) return one[4] > other[4] end)
  end
  local page = {total}
  for k = 1, math.min(limit, #found) do
    local target, each, owner = unpack(found[k], 1, 3)
    page[#page + 1] = tonumber(target)
    page[#page + 1] = string.sub(each, string.find(each, ':', 1, true) + 1)
    page[#page + 1] = owner
    page[#page + 1] = redis.call('HGET', R, 'h' .. target .. each .. owner)
  end
  return page
end

-- an event's id -> its text, or ''
if op == 'message' then
  local number = tonumber(redis.call('HGET', I, ARGV[own]))
  if not number or number <= floor then return '' end
  return redis.call('HGET', M, number)
end

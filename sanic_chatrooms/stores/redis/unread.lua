-- What a user has not read in a room.
-- a user, the name by which they are mentioned ('' none), how many are counted at most, from which number to which, how many numbers are looked at, how many mentions
-- are counted at most -> number and text of the newest event that counts or '', facts about the user, packed; and of a member: their marker, how many, the first
-- one's number or 0, are there more?, mentions
local user, named, cap, low, high, looked, most = ARGV[own], ARGV[own + 1], tonumber(ARGV[own + 2]), tonumber(ARGV[own + 3]), tonumber(ARGV[own + 4]), tonumber(ARGV[own + 5]), tonumber(ARGV[own + 6])
local room = load()
if not room then return false end
expire(room)
local floor, silent = floor_of(room), room.silent or room.head
local function pad(number) return string.format('%016d', number) end

local number, text = 0, ''
local newest = redis.call('ZREVRANGEBYLEX', C, '(d', '[c' .. pad(math.max(floor, room.head - looked, 0) + 1), 'LIMIT', 0, 1)[1]
if newest then
  number = tonumber(string.sub(newest, 2, 17))
  text = redis.call('HGET', M, number)
end
local packed = redis.call('HGET', O, user) or ''
local known = packed ~= '' and cmsgpack.unpack(packed)
if not known or not known.member then return {number, text, packed} end

local marker = math.max(known['my.read'] and tonumber(known['my.read'][1]) or known.member[3], known['my.read'] and 0 or silent)
local start = math.max(marker, silent, floor, low - 1)
local stop = math.min(high, start + looked)

-- Calls `take` with each row of c that begins so, and is not the user's own, until it says that it has enough.
local function each(prefix, above, take)
  local from, upto, place = '[' .. prefix .. pad(above + 1), '(' .. prefix .. pad(stop + 1), #prefix + 1
  if above >= stop then return end
  repeat
    local rows = redis.call('ZRANGEBYLEX', C, from, upto, 'LIMIT', 0, cap + 1)
    for _, row in ipairs(rows) do
      if string.sub(row, place + 16) ~= user and take(string.sub(row, place, place + 15)) then return end
    end
    from = '(' .. (rows[#rows] or '')
  until #rows <= cap
end

local count, first = 0, 0
each('c', start, function(seq)
  if count == 0 then first = tonumber(seq) end
  count = count + 1
  return count > cap
end)
local more = count > cap or math.min(high, room.head) > stop

local mentioned, mentions = {}, 0
local function mention(name, above)
  each('@' .. #name .. ':' .. name, above, function(seq)
    if not mentioned[seq] then
      mentioned[seq] = true
      mentions = mentions + 1
    end
    return mentions >= most
  end)
end
if named ~= '' then mention(named, start) end
mention('@room', start)
mention('@' .. (cjson.decode(known.member[1]).role or 'member'), math.max(start, known.member[2]))
return {number, text, packed, marker, math.min(count, cap), first, more and 1 or 0, mentions}

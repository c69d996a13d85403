-- The five arguments of publish.lua. Then five per draft: its key ('' none); "timestamp id hash"; its text without the number; a flag, the number at which its sender's rights were checked ('' they were not)
-- and '@' with the epoch then, and ';' with what it does besides (see effects.lua) behind them; '=' and its sender's id if it counts as unread. The flag is '-' for an event of the timeline, '~' for others; '+' and '*' where there are effects.
-- -> epoch, and per draft: its number; "+number target count" of an event about a message (count '' where it has none), on the next line what else its payload tells; "number timestamp id" of the first, for one
-- about a message with its payload on the next line; "=number" unchanged; "!seconds" too early by so many; -1 conflict, -2 no such message, -3 stale, -4 no such parent, -5 the parent is a reply, -6 one key too many
if op == 'append' then
  local room = load()
  if not room then return false end
  local base, restricted, results = room.head, room.restricted, {}
  own = own + 5
  local events, ids, line, counted, said, besides = {}, {}, {}, {}, {}, nil
  local function flush()
    if #events == 0 then return end
    redis.call('HSET', M, unpack(events))
    redis.call('HSET', I, unpack(ids))
    if #line > 0 then redis.call('RPUSH', T, unpack(line)) end
    if #counted > 0 then redis.call('ZADD', C, unpack(counted)) end
    events, ids, line, counted = {}, {}, {}, {}
  end

  -- Were the sender's rights checked too long ago? Most drafts of a batch say the same of that, so it is read once.
  local judged, is_late = nil, false
  local function late(change)
    if change ~= judged or besides then
      local number, epoch = string.match(change, '^.(%d*)@?([^;]*)')
      judged, is_late = change, room.restricted > (tonumber(number) or math.huge) or epoch ~= '' and epoch ~= room.epoch
    end
    return is_late
  end

  local keys = {}
  for a = own, #ARGV, 5 do keys[#keys + 1] = ARGV[a] end
  local one, other = redis.call('HMGET', K0, unpack(keys)), redis.call('HMGET', K1, unpack(keys))
  local seen, firsts = {}, {} -- what is known of keys since this batch began; the new ones, each with that
  room.seen = seen
  expire(room)
  for d, key in ipairs(keys) do
    local a = own + 5 * (d - 1)
    local memo, text, change = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
    local flag = string.byte(change)
    local first = key ~= '' and (seen[key] or one[d] or other[d])
    if key ~= '' and key == room.maker then
      results[d] = -1
    elseif first then
      local known, hash = string.match(first, '^(%S+ %S+ %S+) (.*)$')
      local same = hash == string.match(memo, '^%S+ %S+ (.*)$')
        or hash == '=' .. (string.match(text, '^"msgId":"[^"]*","timestamp":[^,]+,"type":"([^"]*)"') or '')
      results[d] = same and known or -1
      if same and (flag == 43 or flag == 42) then
        flush() -- the first may stand in this batch
        besides = besides or effects(room)
        results[d] = known .. besides.payload_of(tonumber(string.match(known, '^%d+')), change)
      end
    elseif late(change) then
      results[d] = -3
    else
      local n, outcome, what = room.head + 1, nil, nil
      results[d] = n
      if flag == 43 or flag == 42 then -- '+' or '*'
        flush() -- it sees what stands before it in the batch
        besides = besides or effects(room)
        what = besides.unpacked(change)
        local target, count, extra
        outcome, target, count, extra = besides.apply(what)
        if target then
          text = besides.completed(text, target, count, extra)
          results[d] = '+' .. n .. ' ' .. target .. ' ' .. (count or '') .. (extra and '\n' .. extra or '')
        end
      end
      if outcome then
        results[d] = outcome
      else
        room.head = n
        local number = string.format('%d', n) -- a text, since each call writes a number anew
        local event = '{"seq":' .. number .. ',' .. text
        said[#said + 1] = event
        events[#events + 1] = number
        events[#events + 1] = event
        ids[#ids + 1] = string.sub(text, 10, string.find(text, '"', 10, true) - 1) -- behind "msgId":"
        ids[#ids + 1] = number
        local sender = ARGV[a + 4]
        if sender ~= '' then
          counted[#counted + 1] = '0'
          counted[#counted + 1] = string.format('c%016d', n) .. string.sub(sender, 2)
        end
        if flag == 45 or (flag == 43 and what.fold ~= 'collect') then line[#line + 1] = number end
        if key ~= '' then
          seen[key] = number .. ' ' .. memo
          firsts[#firsts + 1] = key
          firsts[#firsts + 1] = seen[key]
        end
      end
    end
  end
  if room.head == base then return {room.epoch, unpack(results)} end

  flush()
  if room.run ~= run then
    if run ~= '' then room.epoch = ARGV[8] end -- the server may have lost events with these numbers
    redis.call('HSET', H, 'e', room.epoch, 'r', run)
  end
  redis.call('HSET', H, 'n', room.head)
  if not room.silent then redis.call('HSET', H, 'y', base) end
  if room.restricted > restricted then redis.call('HSET', H, 'z', room.restricted) end
  if #firsts > 0 then
    local now, window = present(), tonumber(ARGV[7])
    local past, current = now - room.since, room.current
    local turn = past >= window -- keys are remembered for one to three windows
    -- Either the room was quiet for long, or the server's clock was set forward. Then recent keys must not be forgotten, so this turn is put off once.
    local set = room.since > 0 and (past < 0 or past >= 2 * window and not room.late)
    if set then turn = false end
    if turn then current = current == '0' and '1' or '0' end
    local into = current == '0' and K0 or K1
    if turn then redis.call('UNLINK', into) end
    if besides then -- which may have removed hashes
      for k = 1, #firsts, 2 do firsts[k + 1] = seen[firsts[k]] end
    end
    redis.call('HSET', into, unpack(firsts))
    if turn or set then
      local keep = math.ceil(1000 * (4 * window + DAY)) -- for rooms that stay quiet
      redis.call('PEXPIRE', K0, keep)
      redis.call('PEXPIRE', K1, keep)
      redis.call('HSET', H, 'w', now, 'g', current, 'p', set and '1' or '0')
    end
  end
  if is_users then
    for _, key in ipairs({H, M, T, I, C}) do redis.call('PEXPIRE', key, WEEK) end
  end
  local last = room.head - room.max
  if last - room.erased > math.min(room.max / 4 + 16, CHUNK) then erase(room, last) end -- in larger steps, not one by one
  if ARGV[9] ~= '' then publish(room.epoch, said) end
  return {room.epoch, unpack(results)}
end


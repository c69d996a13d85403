-- Tells the brokers of other workers of events that were just stored, signed as support/signature.py does. ARGV[9] the channel ('' none), [10] PUBLISH or
-- SPUBLISH, [11] as whom, [12] and [13] the two keys of the signature.
local function publish(epoch, events)
  local channel, command, publisher = ARGV[9], ARGV[10], ARGV[11]
  -- The worker's own broker hears the room by two channels, every other by one (see brokers/redis.py): is there another?
  local heard = redis.pcall('PUBSUB', command == 'SPUBLISH' and 'SHARDNUMSUB' or 'NUMSUB', channel, channel .. ':' .. publisher)
  if not heard.err and heard[2] <= heard[4] then return end
  local body = '["' .. publisher .. '","' .. epoch .. '",[' .. table.concat(events, ',') .. ']]'
  local signature = redis.sha1hex(ARGV[13] .. redis.sha1hex(ARGV[12] .. channel .. '\n' .. body))
  redis.call(command, channel, '#' .. signature .. body)
end


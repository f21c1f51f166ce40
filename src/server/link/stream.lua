-- Appends an entry that counts n messages and has so many bytes. Returns its ID, or what went wrong.
-- Somebody else may have written there: then the count goes on after that.
local function append(n, serial, size, ...)
  if tonumber(redis.call('HGET', KEYS[1], 'total')) >= 2^52 then
    -- Nobody can count on from there. Without an epoch, every server greets, and a new one begins.
    redis.call('HDEL', KEYS[1], 'epoch')
    return redis.error_reply('ERR the room has too many messages')
  end
  local function id() return string.format('%.0f', redis.call('HGET', KEYS[1], 'total') + n) .. serial end
  local added = redis.pcall('XADD', KEYS[2], id(), ...)
  if type(added) == 'table' and added.err and added.err:find('equal or smaller', 1, true) then
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    redis.call('HSET', KEYS[1], 'total', string.format('%.0f', last[1]:match('^%d+') + 1))
    added = redis.pcall('XADD', KEYS[2], id(), ...)
  end
  if type(added) == 'table' then return added end

  -- Keeps 64 MiB of text: a mark at each full MiB, and the stream begins at the oldest of 64.
  local before = tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0)
  local bytes = before + size + 64
  redis.call('HSET', KEYS[1], 'total', added:match('^%d+'), 'bytes', string.format('%.0f', bytes))
  if math.floor(bytes / 1048576) > math.floor(before / 1048576) then
    redis.call('RPUSH', KEYS[3], added)
    if redis.call('LLEN', KEYS[3]) > 64 then
      redis.call('XTRIM', KEYS[2], 'MINID', '=', redis.call('LPOP', KEYS[3]))
    end
  end
  return added
end


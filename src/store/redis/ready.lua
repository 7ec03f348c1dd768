-- Whether the server is new enough (0 if not), and the user may do what scripts do (1 if not): ARGV names of keys.
if not redis.acl_check_cmd then return 0 end
local commands = {
  { 'GET' }, { 'MGET' }, { 'HGET', 'a' }, { 'SET', '1', 'PX', '1' }, { 'DEL' }, { 'PTTL' }, { 'PEXPIRE', '1' }, { 'HGETALL' }, { 'HSET', 'a', '1' },
  { 'HMGET', 'a' }, { 'HDEL', 'a' }, { 'LRANGE', '0', '-1' }, { 'RPUSH', '1' }, { 'LTRIM', '0', '-1' }, { 'LREM', '1', '1' },
  { 'ZRANGE', '0', '-1' }, { 'ZADD', '1', 'a' }, { 'ZREM', 'a' },
}
if not redis.acl_check_cmd('TIME') or not redis.acl_check_cmd('SCAN', '0') then return 1 end
for _, key in ipairs(ARGV) do
  for _, command in ipairs(commands) do
    if not redis.acl_check_cmd(command[1], key, unpack(command, 2)) then return 1 end
  end
end
return 2

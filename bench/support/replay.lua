-- Sends the requests of a file in turn, for ever, and prints what was measured as one line of JSON.
-- wrk … -s replay.lua <url> -- <file>
local requests = {}
local at = 0

function init(arguments)
  local file = assert(io.open(arguments[1], 'rb'))
  local text = file:read('*a')
  file:close()
  for request in text:gmatch('(.-\r\n\r\n)') do requests[#requests + 1] = request end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"durationUs":%d,"p50Us":%.0f,"p99Us":%.0f,"p999Us":%.0f,"maxUs":%.0f,"badStatus":%d,"socketErrors":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    latency.max, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

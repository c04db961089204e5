# Ruby's websocket-driver, in both roles, on blocking sockets.

require 'json'
require 'socket'
require 'uri'
require 'websocket/driver'

PROTOCOL = 'second.choice'.freeze
OFFERED = ['first.choice', PROTOCOL].freeze

$stdout.sync = true

def tell(line)
  puts JSON.generate(line)
end

# What the driver asks of its owner: a URL, and a place to write to.
class Wire
  attr_reader :url

  def initialize(socket, url = nil)
    @socket = socket
    @url = url
  end

  def write(bytes)
    @socket.write(bytes)
  rescue SystemCallError
    nil
  end
end

def obey(driver, data)
  unless data.is_a?(String) && data.start_with?('interop:')
    return data.is_a?(String) ? driver.text(data) : driver.binary(data)
  end
  order, words = data.delete_prefix('interop:').split(' ', 2)
  if order == 'ping'
    driver.ping(words) { driver.text("interop:pong #{words}") }
  else
    code, reason = words.split(' ', 2)
    driver.close(reason, code.to_i)
  end
end

def talk(driver, socket, path)
  over = false
  driver.on(:connect) { driver.start if WebSocket::Driver.websocket?(driver.env) }
  driver.on(:message) { |event| obey(driver, event.data) }
  driver.on(:error) { |_| nil }
  driver.on(:close) do |event|
    over = true
    where = path || driver.env['PATH_INFO']
    tell(path: where, protocol: driver.protocol, code: event.code, reason: event.reason)
  end
  yield if block_given?
  driver.parse(socket.readpartial(65_536)) until over
rescue SystemCallError, EOFError
  driver.emit(:close, WebSocket::Driver::CloseEvent.new(1006, '')) unless over
ensure
  socket.close
end

def serve
  server = TCPServer.new('127.0.0.1', 0)
  tell(version: VERSION, port: server.addr[1])
  loop do
    Thread.new(server.accept) do |socket|
      driver = WebSocket::Driver.server(Wire.new(socket), protocols: [PROTOCOL])
      talk(driver, socket, nil)
    end
  end
end

def connect(url)
  uri = URI.parse(url)
  socket = TCPSocket.new(uri.host, uri.port)
  driver = WebSocket::Driver.client(Wire.new(socket, url), protocols: OFFERED)
  talk(driver, socket, uri.path) { driver.start }
end

VERSION = Gem::Specification.find_by_name('websocket-driver').version.to_s
Thread.new { exit!(0) if $stdin.read }
role, *urls = ARGV
if role == 'serve'
  serve
else
  tell(version: VERSION)
  urls.each { |url| connect(url) }
end

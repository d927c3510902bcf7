"""HTTP servers at addresses of loopback that answer every request with their own: `endpoints.py PORT ADDRESS...`"""

import http.server
import socketserver
import sys
import threading


class Address(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.server_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # an HTTPServer's asks DNS for its own name
        self.server_name, self.server_port = self.server_address


for address in sys.argv[2:]:
    threading.Thread(target=Server((address, int(sys.argv[1])), Address).serve_forever).start()
print("ready", file=sys.stderr, flush=True)

"""Where the simulator's callbacks arrive: a plain HTTP server that keeps what it got and answers as told."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from twilio.request_validator import RequestValidator


class Values(dict):
    """Parameters with all the values of a name, as the library's validator asks for them."""

    def getlist(self, name):
        return self[name]


class Callback:
    """One request as it arrived."""

    def __init__(self, base, handler, body):
        self.method, self.target, self.headers = handler.command, handler.path, handler.headers
        self.url = base + handler.path
        self.path = urlsplit(handler.path).path
        self.pairs = parse_qsl(body, keep_blank_values=True)
        self.query = dict(parse_qsl(urlsplit(handler.path).query, keep_blank_values=True))
        self.form = dict(self.pairs)
        self.params = self.form if self.method == "POST" else self.query
        self.token = handler.headers.get("I-Twilio-Idempotency-Token")
        self.signature = handler.headers.get("X-Twilio-Signature", "")

    def signed_with(self, token, algorithm=None):
        """What the official library says of it."""
        values = Values()
        for name, value in self.pairs:
            values.setdefault(name, []).append(value)
        return RequestValidator(token).validate(self.url, values, self.signature, algorithm)


class Receiver:
    """Listens on 127.0.0.1 until it is closed."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests, self.scripts = [], {}
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status = receiver.take(Callback(receiver.base, self, body))
                if status is None:
                    receiver.released.wait(20)  # longer than anyone waits for an answer
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, callback):
        with self.lock:
            self.requests.append(callback)
            script = self.scripts.get(callback.path, [])
            return script.pop(0) if script else 200

    def url(self, path):
        return self.base + path

    def script(self, path, *statuses):
        """The next answers on a path; None answers never. After them: 200."""
        self.scripts[path] = list(statuses)

    def at(self, path):
        """What arrived on a path, in order."""
        with self.lock:
            return [callback for callback in self.requests if callback.path == path]

    def forget(self):
        with self.lock:
            self.requests.clear()
            self.scripts.clear()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

"""An agent of your own in 20 lines: a webhook says that mail came, the reply goes through the gate.

Run it beside `make up`: python examples/agent.py AGENT_KEY OPERATOR_KEY (both stand in data/ready.json).
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from gatepost_client import MultimailClient

agent, operator = MultimailClient(sys.argv[1]), MultimailClient(sys.argv[2])


class Inbound(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = MultimailClient.verify_webhook(body, self.headers, hook["signing_secret"])
        thread = agent.get_thread(event["thread_id"])["messages"]  # oldest first, what the customer has seen
        answer = f"Thank you! I have read all {len(thread)} mails of ours."  # call your model here
        agent.reply_email(event["message_id"], answer)  # waits at the gate for a person
        self.send_response(200)
        self.end_headers()


server = HTTPServer(("127.0.0.1", 0), Inbound)
hook = operator.create_webhook(f"http://127.0.0.1:{server.server_port}/", ["email.received"])
server.serve_forever()

"""Registers students on three engines for ever, and prints each answer: ack STUDENT COURSE ID STATUS."""

import os
import random
import socket
import sys
import threading

STUDENTS, COURSES, CLIENTS = 2000, 20, 24
boot = int(sys.argv[1])


def receive(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b"", b""
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head, body.decode()


def field(body, name):
    return body.split('"%s":"' % name)[1].split('"')[0]


def client(number):
    chance = random.Random(boot * CLIENTS + number)
    connection = socket.create_connection(("127.0.0.1", 8080 + number % 3))
    while True:
        student, course = "s%d" % chance.randrange(STUDENTS), "demo-%02d" % (1 + chance.randrange(COURSES))
        body = '{"student_id":"%s","course_id":"%s"}' % (student, course)
        request = "POST /registrations HTTP/1.1\r\nHost: x\r\nIdempotency-Key: %s/%s\r\nContent-Length: %d\r\n\r\n%s"
        connection.sendall((request % (student, course, len(body), body)).encode())
        head, answer = receive(connection)
        if head[9:12] not in (b"200", b"201"):
            continue
        line = "ack %s %s %s %s\n" % (student, course, field(answer, "registration_id"), field(answer, "status"))
        # One write is one line, whatever the other threads write.
        os.write(1, line.encode())
        if not os.path.exists("acknowledged"):
            open("acknowledged", "w").write("some")


for number in range(CLIENTS):
    threading.Thread(target=client, args=(number,)).start()

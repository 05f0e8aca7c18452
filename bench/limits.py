"""The bare limits of this machine, measured in the same run: broker, database, signatures."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import nats
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


async def jetstream(url: str, count: int = 2000) -> dict[str, float]:
    """Publishes and consumed-and-acked messages a second, 2 KB each, at the sync setting in use."""
    client = await nats.connect(url)
    js = client.jetstream()
    await js.add_stream(name="BENCH", subjects=["bench.>"])
    try:
        body = b"x" * 2048
        begin = time.perf_counter()
        for _ in range(200):
            await js.publish("bench.one", body)
        serial = 200 / (time.perf_counter() - begin)
        gate = asyncio.Semaphore(64)

        async def publish() -> None:
            async with gate:
                await js.publish("bench.many", body)

        begin = time.perf_counter()
        await asyncio.gather(*(publish() for _ in range(count)))
        pipelined = count / (time.perf_counter() - begin)
        consumer = await js.pull_subscribe("bench.many", durable="bench")
        begin, got = time.perf_counter(), 0
        while got < count:
            for message in await consumer.fetch(100, timeout=5):
                await message.ack()
                got += 1
        return {
            "JetStream publish/s, 1 in flight": serial,
            "JetStream publish/s, 64 in flight": pipelined,
            "JetStream pull and ack/s": count / (time.perf_counter() - begin),
        }
    finally:
        await js.delete_stream("BENCH")
        await client.close()


async def postgres(url: str, seconds: float = 1.5) -> dict[str, float]:
    """Committed inserts a second, one connection and eight, and rows a second in batches of 50."""
    pool = await asyncpg.create_pool(url, min_size=8, max_size=8)
    await pool.execute("CREATE TABLE IF NOT EXISTS bench_limit (id bigserial PRIMARY KEY, body text)")
    body = "x" * 500
    try:

        async def one(statement: str, argument: object) -> int:
            done, until = 0, time.perf_counter() + seconds
            async with pool.acquire() as connection:
                prepared = await connection.prepare(statement)
                while time.perf_counter() < until:
                    await prepared.fetch(argument)
                    done += 1
            return done

        insert = "INSERT INTO bench_limit (body) VALUES ($1)"
        single = await one(insert, body) / seconds
        eight = sum(await asyncio.gather(*(one(insert, body) for _ in range(8)))) / seconds
        rows = await one("INSERT INTO bench_limit (body) SELECT * FROM unnest($1::text[])", [body] * 50) * 50 / seconds
        return {
            "Postgres commits/s, 1 connection": single,
            "Postgres commits/s, 8 connections": eight,
            "Postgres rows/s, 50 a commit": rows,
        }
    finally:
        await pool.execute("DROP TABLE bench_limit")
        await pool.close()


def signatures(seconds: float = 1.0) -> dict[str, float]:
    """RSA-2048 signatures a second of one core."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    done, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        key.sign(b"x" * 32, padding.PKCS1v15(), hashes.SHA256())
        done += 1
    return {"RSA-2048 signs/s, 1 core": done / seconds}

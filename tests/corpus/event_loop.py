# The event loop that a cell finds itself in.
# %%
import asyncio

loop = asyncio.get_running_loop()
print(type(loop).__module__, type(loop).__name__, loop.is_running(), loop.get_debug())
print(type(asyncio.get_event_loop_policy()).__name__, asyncio.get_event_loop() is loop)


# %% [raises-exception]
async def nothing():
    return 1


coroutine = nothing()
try:
    asyncio.run(coroutine)
finally:
    coroutine.close()
# %%
import concurrent.futures

with concurrent.futures.ThreadPoolExecutor(1) as pool:
    print(pool.submit(lambda: asyncio.run(nothing())).result())
# %%
asyncio.get_running_loop() is loop, loop.time() > 0
# %%
import tornado.ioloop

tornado.ioloop.IOLoop.current() is tornado.ioloop.IOLoop.current(), type(tornado.ioloop.IOLoop.current()).__name__

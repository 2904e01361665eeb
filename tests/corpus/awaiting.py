# Top-level await, tasks that go on beside the next cells, and processes made by asyncio.
# %%
import asyncio

await asyncio.sleep(0.01, "slept")


# %%
async def numbers():
    for number in range(3):
        await asyncio.sleep(0)
        yield number


[number async for number in numbers()], await asyncio.gather(*[asyncio.sleep(0, n) for n in range(3)])


# %%
async def beside():
    await asyncio.sleep(0.05)
    return "done beside"


task = asyncio.create_task(beside())
task.done()
# %%
await task
# %%
process = await asyncio.create_subprocess_exec("echo", "from a child", stdout=asyncio.subprocess.PIPE)
(await process.communicate())[0], process.returncode
# %%
async with asyncio.timeout(5), asyncio.TaskGroup() as group:
    tasks = [group.create_task(asyncio.to_thread(pow, 2, n)) for n in range(4)]
[task.result() for task in tasks]
# %%
await asyncio.wait_for(asyncio.sleep(5), 0.01)

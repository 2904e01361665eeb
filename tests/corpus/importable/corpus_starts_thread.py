"""Starts a thread when it is imported, which answers questions."""

import queue
import threading

_questions: queue.Queue[tuple[int, queue.Queue[int]]] = queue.Queue()


def _answer() -> None:
    while True:
        number, answer = _questions.get()
        answer.put(number * number)


threading.Thread(target=_answer, daemon=True, name="corpus").start()


def ask(number: int) -> int:
    """The square of a number, which the thread knows."""
    answer: queue.Queue[int] = queue.Queue()
    _questions.put((number, answer))
    return answer.get(timeout=20)

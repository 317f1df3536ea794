package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests run in threads of their own, since a worker that waits forever would keep a test from ending. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class WorkersTest {
    @AfterEach
    void oneThread() {
        Workers.setThreads(1);
    }

    private static void assertEachOnce(int tasks) {
        AtomicIntegerArray calls = new AtomicIntegerArray(tasks);
        Workers.run(tasks, calls::incrementAndGet);
        int[] counts = new int[tasks];
        Arrays.setAll(counts, calls::get);
        int[] ones = new int[tasks];
        Arrays.fill(ones, 1);
        assertArrayEquals(ones, counts, tasks + " tasks on " + Workers.threads() + " threads");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7})
    void eachTaskIsDoneOnce(int threads) {
        Workers.setThreads(threads);
        assertEquals(threads, Workers.threads());
        for (int round = 0; round < 100; round++) {
            for (int tasks : new int[] {0, 1, 2, 3, 5, 8, 50}) {
                assertEachOnce(tasks);
            }
        }
    }

    /** A task that waits for another one is done only if they have threads of their own. */
    @Test
    void tasksRunSideBySide() {
        Workers.setThreads(3);
        CountDownLatch all = new CountDownLatch(3);
        Set<Thread> threads = ConcurrentHashMap.newKeySet();
        Workers.run(3, task -> {
            threads.add(Thread.currentThread());
            all.countDown();
            try {
                assertTrue(all.await(30, TimeUnit.SECONDS), "no three threads");
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        assertEquals(3, threads.size());
        assertTrue(threads.contains(Thread.currentThread()), "the caller did not work along");
    }

    @Test
    void whatTasksWroteIsThereAfterTheJob() {
        Workers.setThreads(4);
        int[] values = new int[1000];
        for (int round = 1; round <= 200; round++) {
            int add = round;
            Workers.run(values.length, task -> values[task] += add);
        }
        int[] expected = new int[values.length];
        Arrays.fill(expected, 200 * 201 / 2);
        assertArrayEquals(expected, values);
    }

    @Test
    void aWorkerThatSleptIsWoken() throws InterruptedException {
        Workers.setThreads(2);
        for (int round = 0; round < 5; round++) {
            Thread.sleep(20);
            tasksOfTwoThreadsMeet();
        }
    }

    private static void tasksOfTwoThreadsMeet() {
        CountDownLatch both = new CountDownLatch(2);
        Workers.run(2, task -> {
            both.countDown();
            try {
                assertTrue(both.await(30, TimeUnit.SECONDS), "the worker sleeps on");
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void anExceptionReachesTheCallerAndLaterJobsRun(int threads) {
        Workers.setThreads(threads);
        for (int failing = 0; failing < 8; failing++) {
            int bad = failing;
            IllegalArgumentException planted = new IllegalArgumentException("planted");
            RuntimeException thrown = assertThrows(RuntimeException.class, () -> Workers.run(8, task -> {
                if (task == bad) {
                    throw planted;
                }
            }));
            assertSame(planted, thrown == planted ? thrown : thrown.getCause());
            assertEachOnce(8);
        }
        assertThrows(RuntimeException.class, () -> Workers.run(8, task -> {
            throw new IllegalStateException("all of them");
        }));
        assertEachOnce(8);
    }

    @Test
    void anErrorReachesTheCallerToo() {
        Workers.setThreads(2);
        AssertionError planted = new AssertionError("planted");
        Throwable thrown = assertThrows(Throwable.class, () -> Workers.run(8, task -> {
            throw planted;
        }));
        assertSame(planted, thrown == planted ? thrown : thrown.getCause());
        assertEachOnce(8);
    }

    @Test
    void theNumberOfThreadsGoesUpAndDown() throws InterruptedException {
        for (int threads : new int[] {1, 4, 2, 2, 1, 3, 8, 1, 2}) {
            Workers.setThreads(threads);
            assertEquals(threads, Workers.threads());
            assertEachOnce(20);
        }
        Workers.setThreads(1);
        for (int i = 0; i < 200 && helpers() > 0; i++) {
            Thread.sleep(10);
        }
        assertEquals(0, helpers(), "threads that nobody needs any more");
    }

    private static long helpers() {
        return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().startsWith("dl4j-bridge-")).count();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1})
    void noThreadsAreRefused(int threads) {
        assertThrows(IllegalArgumentException.class, () -> Workers.setThreads(threads));
        assertEquals(1, Workers.threads());
        assertEachOnce(3);
    }

    @Test
    void twoCallersAtOnceGetTheirOwnJobsDone() throws InterruptedException {
        Workers.setThreads(2);
        inTwoThreads(() -> {
            for (int round = 0; round < 500; round++) {
                assertEachOnce(1 + round % 9);
            }
        }, () -> {
            for (int round = 0; round < 500; round++) {
                assertEachOnce(9 - round % 9);
            }
        });
    }

    /** A job that has begun on threads which are then given up must still end. */
    @Test
    void theNumberOfThreadsMayChangeWhileAnotherCallerWorks() throws InterruptedException {
        AtomicBoolean changing = new AtomicBoolean(true);
        inTwoThreads(() -> {
            while (changing.get()) {
                Workers.run(2, task -> { });
            }
        }, () -> {
            for (int i = 0; i < 3000; i++) {
                Workers.setThreads(2 + i % 2);
            }
            changing.set(false);
        });
    }

    private static void inTwoThreads(Runnable one, Runnable other) throws InterruptedException {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread[] threads = {new Thread(one), new Thread(other)};
        for (Thread thread : threads) {
            thread.setDaemon(true);
            thread.setUncaughtExceptionHandler((t, e) -> failure.set(e));
            thread.start();
        }
        for (Thread thread : threads) {
            thread.join(60_000);
            assertNotEquals(Thread.State.RUNNABLE, thread.getState(), "still at work after a minute");
        }
        if (failure.get() != null) {
            throw new AssertionError(failure.get());
        }
    }
}

package dl4jbridge.fused;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * The threads that share a training step. A job is cut into tasks, and the calling thread takes tasks too.
 *
 * <p>A step has some twenty jobs, many of them shorter than it takes to wake a thread. So a helper without work spins for
 * a while before it sleeps, and no job waits for a helper that comes too late to find a task. A spinning helper yields,
 * since HotSpot's compiler may need the core.
 */
public final class Workers {
    private static final long SPIN_NANOS = 1_000_000;
    private static Workers shared = new Workers(1);

    private final Thread[] helpers;
    private volatile Job newest = new Job(0, null);
    private volatile boolean stopped;

    private Workers(int threads) {
        helpers = new Thread[threads - 1];
        for (int i = 0; i < helpers.length; i++) {
            helpers[i] = new Thread(this::help, "dl4j-bridge-" + (i + 1));
            helpers[i].setDaemon(true);
            helpers[i].start();
        }
    }

    /**
     * Sets the number of threads of a step, including the caller's, for all networks.
     *
     * @throws IllegalArgumentException if it is less than 1
     */
    public static synchronized void setThreads(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException("threads: found " + threads + "; wanted 1 or more");
        }
        if (threads != shared.helpers.length + 1) {
            shared.stop();
            shared = new Workers(threads);
        }
    }

    public static int threads() {
        return shared.helpers.length + 1;
    }

    /** Index at which part {@code part} begins when {@code n} items are divided evenly into {@code parts}. */
    static int border(int n, int part, int parts) {
        return (int) ((long) part * n / parts);
    }

    /**
     * Calls {@code body} once for each of 0..tasks-1, in any order and on any of the threads; returns when all are done.
     *
     * @throws RuntimeException if a task fails, with its exception as the cause where other threads took part
     */
    static void run(int tasks, IntConsumer body) {
        Workers workers = shared;
        if (tasks == 1 || workers.helpers.length == 0) {
            for (int i = 0; i < tasks; i++) {
                body.accept(i);
            }
            return;
        }
        workers.share(new Job(tasks, body));
    }

    private synchronized void share(Job job) {
        newest = job;
        for (Thread helper : helpers) {
            LockSupport.unpark(helper);
        }
        job.work();
        job.await();
    }

    private void help() {
        Job seen = null;
        while (true) {
            long since = System.nanoTime();
            while (newest == seen) {
                if (stopped) {
                    return;
                }
                if (System.nanoTime() - since > SPIN_NANOS) {
                    LockSupport.park(this);
                } else {
                    Thread.yield();
                }
            }
            seen = newest;
            seen.work();
        }
    }

    private void stop() {
        stopped = true;
        for (Thread helper : helpers) {
            LockSupport.unpark(helper);
        }
    }

    private static final class Job {
        private final int tasks;
        private final IntConsumer body;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger done = new AtomicInteger();
        private volatile Throwable failure;

        Job(int tasks, IntConsumer body) {
            this.tasks = tasks;
            this.body = body;
        }

        void work() {
            for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
                try {
                    body.accept(i);
                } catch (Throwable t) {
                    failure = t;
                } finally {
                    done.incrementAndGet();
                }
            }
        }

        void await() {
            while (done.get() < tasks) {
                Thread.yield();
            }
            if (failure != null) {
                throw new IllegalStateException("a worker thread failed", failure);
            }
        }
    }
}

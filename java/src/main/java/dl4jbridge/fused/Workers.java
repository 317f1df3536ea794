package dl4jbridge.fused;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * The threads that share a training step: a job is cut into tasks, and the caller works along.
 *
 * <p>A step has some twenty jobs, many of them shorter than it takes to wake a thread. So a helper that has run out of
 * work spins for a while before it sleeps, and nobody waits for one that comes too late to find a task. Who spins gives
 * way: HotSpot's compiler may need the core.
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

    /** Sets how many threads work on a step, the caller's included. */
    public static synchronized void setThreads(int threads) {
        if (threads < 1) {
            throw new IllegalArgumentException(threads + " threads");
        }
        if (threads != shared.helpers.length + 1) {
            shared.stop();
            shared = new Workers(threads);
        }
    }

    public static int threads() {
        return shared.helpers.length + 1;
    }

    /** Where part {@code part} of {@code n} things begins when they are dealt out evenly to {@code parts}. */
    static int border(int n, int part, int parts) {
        return (int) ((long) part * n / parts);
    }

    /** Calls {@code body} for 0..tasks-1, each once, in any order and on any of the threads; returns when all are done. */
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

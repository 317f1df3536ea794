package dl4jbridge.fused;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;

/**
 * The threads that share a training step: a job is cut into tasks, and the caller works along.
 *
 * <p>A step has about ten jobs of a few milliseconds. So a worker that has run out of work spins for a while before it
 * sleeps: waking it would cost as much as a small job.
 */
public final class Workers {
    private static final long SPIN_NANOS = 100_000;
    private static Workers shared = new Workers(1);

    private final Thread[] helpers;
    private final AtomicInteger next = new AtomicInteger();
    private final AtomicInteger unfinished = new AtomicInteger();
    private volatile int generation;
    private volatile boolean stopped;
    private volatile Throwable failure;
    private IntConsumer job;
    private int tasks;

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

    /** Calls {@code body} for 0..tasks-1, each once, in any order and on any of the threads; returns when all are done. */
    static void run(int tasks, IntConsumer body) {
        Workers workers = shared;
        if (tasks == 1 || workers.helpers.length == 0) {
            for (int i = 0; i < tasks; i++) {
                body.accept(i);
            }
            return;
        }
        workers.share(tasks, body);
    }

    private synchronized void share(int count, IntConsumer body) {
        job = body;
        tasks = count;
        failure = null;
        next.set(0);
        unfinished.set(helpers.length);
        generation++;
        for (Thread helper : helpers) {
            LockSupport.unpark(helper);
        }
        work();
        while (unfinished.get() > 0) {
            Thread.onSpinWait();
        }
        job = null;
        if (failure != null) {
            throw new IllegalStateException("a worker thread failed", failure);
        }
    }

    private void work() {
        try {
            for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
                job.accept(i);
            }
        } catch (Throwable t) {
            failure = t;
        }
    }

    private void help() {
        int seen = 0;
        while (true) {
            long since = System.nanoTime();
            while (generation == seen) {
                if (stopped) {
                    return;
                }
                if (System.nanoTime() - since > SPIN_NANOS) {
                    LockSupport.park(this);
                } else {
                    Thread.onSpinWait();
                }
            }
            seen++;
            work();
            unfinished.decrementAndGet();
        }
    }

    private void stop() {
        stopped = true;
        for (Thread helper : helpers) {
            LockSupport.unpark(helper);
        }
    }
}

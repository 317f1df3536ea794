package dl4jbridge.fused;

import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/** Finds the class of each time step of a one-hot tensor, in one pass over its elements. */
final class OneHot {
    private static final int CHUNK = 2048;
    private static final int TOGETHER = 8;
    private int[] index = new int[0];

    /**
     * @param array  [batch, classes, steps], FLOAT, 'f' order; other arrays count as not one-hot
     * @return the class of (step, example) at [step * batch + example], valid until the next call; null if not one-hot
     */
    int[] read(INDArray array) {
        if (array.rank() != 3 || array.dataType() != DataType.FLOAT
                || !Sequence.isTimeLast(array)) {
            return null;
        }
        int batch = (int) array.size(0);
        int classes = (int) array.size(1);
        int steps = (int) array.size(2);
        if (index.length < batch * steps) {
            index = new int[batch * steps];
        }
        Memory memory = Memory.of(array);
        AtomicBoolean oneHot = new AtomicBoolean(true);
        int chunks = Math.min(steps, Workers.threads());
        Workers.run(chunks, chunk -> {
            int first = Workers.border(steps, chunk, chunks);
            int last = Workers.border(steps, chunk + 1, chunks);
            Arrays.fill(index, first * batch, last * batch, -1);
            if (!readSteps(memory, first, last, batch, classes) || missesOne(first * batch, last * batch)) {
                oneHot.set(false);
            }
        });
        memory.keep();
        return oneHot.get() ? index : null;
    }

    /** Compares two floats at a time, as a long, since nearly all of them are zero. */
    private boolean readSteps(Memory memory, int first, int last, int batch, int classes) {
        int step = batch * classes;
        long from = (long) first * step;
        long count = (long) (last - first) * step;
        LongBuffer pairs = memory.pairs(from, count);
        long[] chunk = new long[CHUNK];
        for (int at = 0; at < pairs.capacity(); at += CHUNK) {
            int n = Math.min(CHUNK, pairs.capacity() - at);
            pairs.get(chunk, 0, n);
            Arrays.fill(chunk, n, chunk.length, 0);
            for (int i = 0; i < n; i += TOGETHER) {
                if ((chunk[i] | chunk[i + 1] | chunk[i + 2] | chunk[i + 3]
                        | chunk[i + 4] | chunk[i + 5] | chunk[i + 6] | chunk[i + 7]) == 0) {
                    continue;
                }
                for (int k = i; k < i + TOGETHER; k++) {
                    long element = from + 2L * (at + k);
                    if (chunk[k] != 0 && (!set(element, memory.get(element), batch, classes)
                            || !set(element + 1, memory.get(element + 1), batch, classes))) {
                        return false;
                    }
                }
            }
        }
        return count % 2 == 0 || set(from + count - 1, memory.get(from + count - 1), batch, classes);
    }

    private boolean set(long element, float value, int batch, int classes) {
        if (value == 0) {
            return true;
        }
        int row = (int) (element / ((long) batch * classes)) * batch + (int) (element % batch);
        if (value != 1 || index[row] >= 0) {
            return false;
        }
        index[row] = (int) (element / batch % classes);
        return true;
    }

    private boolean missesOne(int from, int to) {
        for (int row = from; row < to; row++) {
            if (index[row] < 0) {
                return true;
            }
        }
        return false;
    }
}

package dl4jbridge.fused;

import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The fused layers' layout of a sequence: [steps, batch, size] in 'c' order. Each time step is one block of memory, and
 * several steps are one matrix. DL4J sees it as [batch, size, steps] through {@link #view}.
 */
final class Sequence {
    private Sequence() {}

    /** A [steps, batch, size] 'c' array as DL4J's [batch, size, steps], without a copy. */
    static INDArray view(INDArray rows) {
        return rows.permute(1, 2, 0);
    }

    /** Memory in which {@link #rows} can transpose an array; {@code held} if it already has our layout. */
    static Memory scratch(INDArray array, Memory held) {
        return isRows(array) ? held : Memory.atLeast(held, array.length());
    }

    /** DL4J's [batch, size, steps] in our layout: the array's own memory if possible, else a copy in {@code scratch}. */
    static Memory rows(INDArray array, Memory scratch) {
        if (isRows(array)) {
            return Memory.of(array);
        }
        INDArray timeLast = isTimeLast(array) ? array : array.dup('f');
        int batch = (int) array.size(0);
        int size = (int) array.size(1);
        int steps = (int) array.size(2);
        Memory from = Memory.of(timeLast);
        long block = (long) batch * size;
        int chunks = Math.min(steps, 2 * Workers.threads());
        Workers.run(chunks, chunk -> {
            Transposition.Scratch arrays = new Transposition.Scratch().atLeast(batch * size);
            for (long t = Workers.border(steps, chunk, chunks); t < Workers.border(steps, chunk + 1, chunks); t++) {
                Transposition.transpose(from.view(), (int) (t * block), size, batch, scratch.view(), arrays);
            }
        });
        from.keep();
        return scratch;
    }

    static boolean isRows(INDArray a) {
        return hasStrides(a, a.size(1), 1, a.size(0) * a.size(1));
    }

    static boolean isTimeLast(INDArray a) {
        return hasStrides(a, 1, a.size(0), a.size(0) * a.size(1));
    }

    /** The stride of an axis of length 1 is arbitrary. */
    private static boolean hasStrides(INDArray a, long... strides) {
        for (int i = 0; i < strides.length; i++) {
            if (a.size(i) != 1 && a.stride(i) != strides[i]) {
                return false;
            }
        }
        return true;
    }
}

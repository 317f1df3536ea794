package dl4jbridge.fused;

import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The fused layers' layout of a sequence: [steps, batch, size] in 'c' order, so that a time step is one block and so
 * are all rows of a matrix product over time. DL4J sees it as [batch, size, steps] through {@link #view}.
 */
final class Sequence {
    private Sequence() {}

    /** A [steps, batch, size] 'c' array as DL4J's [batch, size, steps], without a copy. */
    static INDArray view(INDArray rows) {
        return rows.permute(1, 2, 0);
    }

    /** Memory for {@link #rows} to turn an array in; what is held, where nothing needs turning. */
    static Memory scratch(INDArray array, Memory held) {
        return isRows(array) ? held : Memory.atLeast(held, array.length());
    }

    /** Memory in our layout with the content of DL4J's [batch, size, steps]: the array's own where that fits. */
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

    /** The stride of an axis of length 1 says nothing. */
    private static boolean hasStrides(INDArray a, long... strides) {
        for (int i = 0; i < strides.length; i++) {
            if (a.size(i) != 1 && a.stride(i) != strides[i]) {
                return false;
            }
        }
        return true;
    }
}

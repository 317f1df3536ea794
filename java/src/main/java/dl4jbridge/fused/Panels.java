package dl4jbridge.fused;

import java.nio.FloatBuffer;

/**
 * Weights as the second factor of many products with few rows: [inputs, outputs], with the outputs cut into panels. Each
 * panel is one block of memory, since reading the rows of a large matrix from beyond the second-level cache, or from many
 * pages at a time, takes longer than the arithmetic. A few remaining outputs are stored as rows; see {@link Gemm#tail}.
 */
final class Panels {
    private int inputs;
    private int outputs; // in panels, with the padding of Gemm.columns
    private int width; // of a panel; the last one may be narrower
    private Memory memory;
    private int tail; // remaining outputs
    private int tailPitch;
    private Memory tailMemory; // [output, input]

    void allocate(int inputs, int outputs) {
        this.inputs = inputs;
        tail = Gemm.tail(inputs, outputs);
        this.outputs = Gemm.columns(outputs - tail);
        width = Math.max(1, Gemm.panel(this.outputs)); // all outputs can be in the tail
        long all = 0;
        for (int first = 0; first < this.outputs; first += width) {
            all += length(first);
        }
        memory = Memory.atLeast(memory, all);
        tailPitch = Gemm.pitch(Gemm.columns(inputs));
        tailMemory = Memory.atLeast(tailMemory, (long) tail * tailPitch);
    }

    private int widthAt(int first) {
        return Math.min(width, outputs - first);
    }

    /** Floats of the panel that begins with output {@code first}. */
    private long length(int first) {
        return (long) inputs * Gemm.pitch(widthAt(first));
    }

    /** Copies the outputs from {@code from} on, for all inputs, from an array of [inputs, count]. */
    void put(float[] values, int from, int count) {
        FloatBuffer view = memory.view();
        long start = 0;
        for (int first = 0; first < outputs; first += width) {
            int begin = Math.max(from, first);
            int n = Math.min(from + count, first + widthAt(first)) - begin;
            int pitch = Gemm.pitch(widthAt(first));
            for (int i = 0; i < inputs && n > 0; i++) {
                view.position((int) start + i * pitch + begin - first);
                view.put(values, i * count + begin - from, n);
            }
            start += length(first);
        }
        putTail(values, from, count);
    }

    private void putTail(float[] values, int from, int count) {
        FloatBuffer view = tailMemory.view();
        for (int output = Math.max(from, outputs); output < Math.min(from + count, outputs + tail); output++) {
            for (int i = 0; i < inputs; i++) {
                view.put((output - outputs) * tailPitch + i, values[i * count + output - from]);
            }
        }
    }

    /**
     * C[rows, outputs] = beta C + A[rows, inputs] times this.
     *
     * @param fromLast  true to begin with the last panel; callers that alternate find the panels of the last call in the cache
     */
    void multiply(int rows, long a, int lda, float beta, long c, int ldc, boolean fromLast) {
        int panels = (outputs + width - 1) / width;
        for (int i = 0; i < panels; i++) {
            int panel = fromLast ? panels - 1 - i : i;
            int first = panel * width;
            int n = widthAt(first);
            Gemm.fewRows(rows, n, inputs, a, lda, memory.at(panel * length(0), length(first)), Gemm.pitch(n), beta,
                    c + (long) first * Float.BYTES, ldc);
        }
        if (tail > 0) {
            Gemm.dots(rows, tail, inputs, a, lda, tailMemory.at(0, tailMemory.length()), tailPitch, beta,
                    c + (long) outputs * Float.BYTES, ldc);
        }
    }
}

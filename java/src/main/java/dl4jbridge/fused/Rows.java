package dl4jbridge.fused;

import java.nio.FloatBuffer;

/** What one part of the batch has of a sequence: some rows of vectors, one block of memory a time step. */
final class Rows {
    final Memory memory;
    /** Floats of a time step. */
    final int length;
    private final long first;
    private final long stride;

    private Rows(Memory memory, int length, long first, long stride) {
        this.memory = memory;
        this.length = length;
        this.first = first;
        this.stride = stride;
    }

    /** Rows {@code from} to {@code to} of a sequence of [steps, batch, width]. */
    static Rows of(Memory sequence, int batch, int width, int from, int to) {
        return new Rows(sequence, (to - from) * width, (long) from * width, (long) batch * width);
    }

    /** Memory of [steps, count, width], from {@code first} on: nobody else's rows lie between. */
    static Rows packed(Memory memory, long first, int count, int width) {
        return new Rows(memory, count * width, first, (long) count * width);
    }

    /** Where a time step begins. */
    long at(int step) {
        return first + step * stride;
    }

    /** Address of some time steps without gaps: where they lie, or in the scratch, which {@link #spread} empties. */
    long packed(int step, int steps, Memory scratch) {
        long n = (long) steps * length;
        return stride == length ? memory.at(at(step), n) : scratch.at(0, n);
    }

    /** The same with what the time steps hold. */
    long gathered(int step, int steps, Memory scratch) {
        if (stride != length) {
            FloatBuffer from = memory.view();
            FloatBuffer to = scratch.view();
            for (int t = 0; t < steps; t++) {
                Memory.copy(from, at(step + t), to, (long) t * length, length);
            }
        }
        return packed(step, steps, scratch);
    }

    /** Brings what was written at {@link #packed} to where it belongs. */
    void spread(int step, int steps, Memory scratch) {
        if (stride != length) {
            FloatBuffer from = scratch.view();
            FloatBuffer to = memory.view();
            for (int t = 0; t < steps; t++) {
                Memory.copy(from, (long) t * length, to, at(step + t), length);
            }
        }
    }
}

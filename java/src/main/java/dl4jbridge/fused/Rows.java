package dl4jbridge.fused;

import java.nio.FloatBuffer;

/** The rows of a sequence that belong to one part of the batch: one block of memory for each time step. */
final class Rows {
    private final Memory memory;
    private final FloatBuffer view; // its limit is never changed
    private final int count; // rows of a time step
    private final int size;
    private final int pitch; // from row to row
    private final long first;
    private final long stride; // from step to step

    private Rows(Memory memory, int count, int size, int pitch, long first, long stride) {
        this.memory = memory;
        this.view = memory.view();
        this.count = count;
        this.size = size;
        this.pitch = pitch;
        this.first = first;
        this.stride = stride;
    }

    /** Rows {@code from} to {@code to} of a sequence of [steps, batch, size]. */
    static Rows of(Memory sequence, int batch, int size, int from, int to) {
        return new Rows(sequence, to - from, size, size, (long) from * size, (long) batch * size);
    }

    /** Memory of [steps, count, pitch], from {@code first} on, without rows of other parts in between. */
    static Rows packed(Memory memory, long first, int count, int size, int pitch) {
        return new Rows(memory, count, size, pitch, first, (long) count * pitch);
    }

    void keep() {
        memory.keep();
    }

    /** Copies a time step to the start of an array. */
    void get(int step, float[] into) {
        get(step, into, 0);
    }

    void get(int step, float[] into, int to) {
        Memory.getRows(view, at(step), pitch, into, to, count, size);
    }

    /** Copies the start of an array to a time step. */
    void put(int step, float[] values) {
        Memory.putRows(view, at(step), pitch, values, count, size);
    }

    private long at(int step) {
        return first + step * stride;
    }

    /**
     * Address of a matrix to write some time steps into, with rows {@code pitch} apart: that of the steps themselves if
     * their rows have this pitch, else of {@code scratch}, from which {@link #spread} copies them.
     */
    long packed(int step, int steps, int pitch, Memory scratch) {
        long n = (long) steps * count * pitch;
        return isPacked(pitch) ? memory.at(at(step), n) : scratch.at(0, n);
    }

    /** The same, filled with the values of the time steps. */
    long gathered(int step, int steps, int pitch, Memory scratch) {
        if (!isPacked(pitch)) {
            FloatBuffer from = memory.view();
            FloatBuffer to = scratch.view();
            int atOnce = rowsAtOnce(pitch);
            for (int i = 0; i < steps * count; i += atOnce) {
                Memory.copy(from, row(step, i), to, (long) i * pitch, atOnce * size);
            }
        }
        return packed(step, steps, pitch, scratch);
    }

    /** Copies what was written at {@link #packed} to the time steps. */
    void spread(int step, int steps, int pitch, Memory scratch) {
        if (!isPacked(pitch)) {
            FloatBuffer from = scratch.view();
            FloatBuffer to = memory.view();
            int atOnce = rowsAtOnce(pitch);
            for (int i = 0; i < steps * count; i += atOnce) {
                Memory.copy(from, (long) i * pitch, to, row(step, i), atOnce * size);
            }
        }
    }

    private boolean isPacked(int pitch) {
        return this.pitch == pitch && stride == (long) count * pitch;
    }

    /** Number of rows that one copy can move to rows {@code pitch} apart. */
    private int rowsAtOnce(int pitch) {
        return this.pitch == size && pitch == size ? count : 1;
    }

    private long row(int step, int i) {
        return at(step + i / count) + (long) (i % count) * pitch;
    }
}

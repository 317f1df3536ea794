package dl4jbridge.fused;

import java.nio.FloatBuffer;

/** What one part of the batch has of a sequence: some rows of vectors, one block of memory a time step. */
final class Rows {
    private final Memory memory;
    private final FloatBuffer view; // its limit is never changed
    private final int count; // a time step
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

    /** Memory of [steps, count, pitch], from {@code first} on: nobody else's rows lie between. */
    static Rows packed(Memory memory, long first, int count, int size, int pitch) {
        return new Rows(memory, count, size, pitch, first, (long) count * pitch);
    }

    void keep() {
        memory.keep();
    }

    /** A time step to the front of an array. */
    void get(int step, float[] into) {
        get(step, into, 0);
    }

    void get(int step, float[] into, int to) {
        Memory.getRows(view, at(step), pitch, into, to, count, size);
    }

    /** The front of an array to a time step. */
    void put(int step, float[] values) {
        Memory.putRows(view, at(step), pitch, values, count, size);
    }

    private long at(int step) {
        return first + step * stride;
    }

    /**
     * Address of some time steps as one matrix with rows {@code pitch} apart: where they lie, or in the scratch, which
     * {@link #spread} empties.
     */
    long packed(int step, int steps, int pitch, Memory scratch) {
        long n = (long) steps * count * pitch;
        return lies(pitch) ? memory.at(at(step), n) : scratch.at(0, n);
    }

    /** The same with what the time steps hold. */
    long gathered(int step, int steps, int pitch, Memory scratch) {
        if (!lies(pitch)) {
            FloatBuffer from = memory.view();
            FloatBuffer to = scratch.view();
            int together = together(pitch);
            for (int i = 0; i < steps * count; i += together) {
                Memory.copy(from, row(step, i), to, (long) i * pitch, together * size);
            }
        }
        return packed(step, steps, pitch, scratch);
    }

    /** Brings what was written at {@link #packed} to where it belongs. */
    void spread(int step, int steps, int pitch, Memory scratch) {
        if (!lies(pitch)) {
            FloatBuffer from = scratch.view();
            FloatBuffer to = memory.view();
            int together = together(pitch);
            for (int i = 0; i < steps * count; i += together) {
                Memory.copy(from, (long) i * pitch, to, row(step, i), together * size);
            }
        }
    }

    private boolean lies(int pitch) {
        return this.pitch == pitch && stride == (long) count * pitch;
    }

    /** Rows that can be copied at once to rows {@code pitch} apart. */
    private int together(int pitch) {
        return this.pitch == size && pitch == size ? count : 1;
    }

    private long row(int step, int i) {
        return at(step + i / count) + (long) (i % count) * pitch;
    }
}

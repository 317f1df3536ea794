package dl4jbridge.fused;

import java.nio.FloatBuffer;

/** Transposes matrices. */
final class Transposition {
    private static final int STRIP = 16;

    private Transposition() {}

    /**
     * {@code to[at + j * stride + i] = from[i * columns + j]}, eight rows at a time and in strips, so that a cache
     * line is still there when its second half is written.
     */
    static void transpose(float[] from, int rows, int columns, float[] to, int at, int stride) {
        for (int first = 0; first < columns; first += STRIP) {
            transpose(from, rows, columns, first, Math.min(columns, first + STRIP), to, at, stride);
        }
    }

    private static void transpose(float[] from, int rows, int columns, int first, int last, float[] to, int at, int stride) {
        int i = 0;
        for (; i + 7 < rows; i += 8) {
            int a = i * columns;
            int b = a + columns;
            int c = b + columns;
            int d = c + columns;
            int e = d + columns;
            int f = e + columns;
            int g = f + columns;
            int h = g + columns;
            for (int j = first, k = at + first * stride + i; j < last; j++, k += stride) {
                to[k] = from[a + j];
                to[k + 1] = from[b + j];
                to[k + 2] = from[c + j];
                to[k + 3] = from[d + j];
                to[k + 4] = from[e + j];
                to[k + 5] = from[f + j];
                to[k + 6] = from[g + j];
                to[k + 7] = from[h + j];
            }
        }
        for (; i < rows; i++) {
            for (int j = first; j < last; j++) {
                to[at + j * stride + i] = from[i * columns + j];
            }
        }
    }

    /** Transposes a [rows, columns] matrix at a position of a buffer into the same position of another. */
    static void transpose(FloatBuffer from, int position, int rows, int columns, FloatBuffer to, Scratch scratch) {
        int n = rows * columns;
        Memory.get(from, position, scratch.from, n);
        transpose(scratch.from, rows, columns, scratch.to, 0, rows);
        Memory.put(to, position, scratch.to, n);
    }

    /** Two arrays for one thread. */
    static final class Scratch {
        float[] from = new float[0];
        float[] to = from;

        Scratch atLeast(int length) {
            if (from.length < length) {
                from = new float[length];
                to = new float[length];
            }
            return this;
        }
    }
}

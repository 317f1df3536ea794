package dl4jbridge.fused;

import java.nio.FloatBuffer;

/** Matrices with rows and columns exchanged, in tiles that stay in the first-level cache. */
final class Transposition {
    private static final int TILE = 16;

    private Transposition() {}

    /** {@code to[at + j * stride + i] = from[i * columns + j]}. */
    static void transpose(float[] from, int rows, int columns, float[] to, int at, int stride) {
        for (int i0 = 0; i0 < rows; i0 += TILE) {
            int end = Math.min(rows, i0 + TILE);
            for (int j = 0; j < columns; j++) {
                int row = at + j * stride;
                for (int i = i0; i < end; i++) {
                    to[row + i] = from[i * columns + j];
                }
            }
        }
    }

    /** One [rows, columns] matrix at a position of a buffer to [columns, rows] at the same position of another. */
    static void transpose(FloatBuffer from, int position, int rows, int columns, FloatBuffer to, Scratch scratch) {
        int n = rows * columns;
        from.position(position);
        from.get(scratch.from, 0, n);
        transpose(scratch.from, rows, columns, scratch.to, 0, rows);
        to.position(position);
        to.put(scratch.to, 0, n);
    }

    /** Two arrays on the heap for one thread. */
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

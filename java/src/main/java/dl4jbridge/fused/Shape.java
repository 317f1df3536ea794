package dl4jbridge.fused;

import static dl4jbridge.fused.Gates.GATES;

/** The sizes of one segment in one recurrent layer, and the row pitches of the memory that products read and write. */
final class Shape {
    /** Below this number of rows, copying the weights into {@link Panels} costs more than it saves. */
    private static final int FEW_ROWS = 64;

    final int batch;
    final int inputs;
    final int steps;
    final int size;
    /** True if the products read copies of the weights; see {@link WeightLayout}. */
    final boolean manyRows;
    /** Floats from row to row: of units, of inputs, and of all gates side by side. */
    final int unitPitch;
    final int inputPitch;
    final int gatePitch;

    Shape(int batch, int inputs, int steps, int size) {
        this.batch = batch;
        this.inputs = inputs;
        this.steps = steps;
        this.size = size;
        manyRows = batch * steps >= FEW_ROWS;
        unitPitch = pitch(size);
        inputPitch = pitch(inputs);
        gatePitch = pitch(GATES * size);
    }

    private int pitch(int columns) {
        return manyRows ? Gemm.columns(columns) : columns;
    }

    boolean equals(Shape other) {
        return other != null && batch == other.batch && inputs == other.inputs && steps == other.steps
                && size == other.size;
    }
}

package dl4jbridge;

import java.nio.FloatBuffer;

/** A view of a tensor's floats that is made when the tensor is new, and not at each call. */
final class FloatView {
    private Tensor tensor;
    private FloatBuffer view;

    /** The floats from the first one on. */
    FloatBuffer of(Tensor wanted) {
        if (wanted != tensor) {
            view = wanted.array().data().asNioFloat();
            tensor = wanted;
        }
        view.rewind();
        return view;
    }

    /** The floats of the last tensor from {@code position} on. */
    FloatBuffer at(int position) {
        view.position(position);
        return view;
    }
}
